"""An evaluation as plain values that a project keeps, image by image.

Images stay apart so that intervals can be drawn. Fine bins, bins of each class and objects are not
kept; the figures that they give are, with the model.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from napari_active_seg.calibration import ErrorsByUncertainty, ProbabilityScores, ReliabilityBins
from napari_active_seg.errors import BadInputError
from napari_active_seg.metrics.confusion import ConfusionMatrix
from napari_active_seg.metrics.evaluation import EvalReport
from napari_active_seg.metrics.image_scores import ImageScores

__all__ = ["report_from_facts", "report_to_facts"]

_ERROR_PARTS = 200


def report_to_facts(report: EvalReport) -> dict[str, object]:
    """Return the report as lists of numbers and names."""
    return {
        "classes": list(report.classes),
        "images": [
            {
                "id": image.image_id,
                "confusion": image.confusion.counts.tolist(),
                "scores": [image.scores.n, image.scores.nll_sum, image.scores.brier_sum],
                "counts": image.bins.counts.tolist(),
                "confidences": image.bins.confidence_sums.tolist(),
                "hits": image.bins.hits.tolist(),
            }
            for image in report.images
        ],
        "errors": {
            name: {
                "bound": coarse.bound,
                "counts": coarse.counts.tolist(),
                "errors": coarse.errors.tolist(),
            }
            for name, coarse in (
                (name, errors.condense(_ERROR_PARTS)) for name, errors in report.errors.items()
            )
        },
    }


def report_from_facts(facts: Mapping[str, Any]) -> EvalReport:
    """Return the report of plain values; BadInputError if they are invalid."""
    try:
        return EvalReport(
            tuple(facts["classes"]),
            tuple(_image(one) for one in facts["images"]),
            errors={name: _errors(one) for name, one in facts["errors"].items()},
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadInputError(f"these facts do not describe an evaluation: {error!r}") from error


def _image(facts: Mapping[str, Any]) -> ImageScores:
    n, nll, brier = facts["scores"]
    return ImageScores(
        facts["id"],
        ConfusionMatrix(np.array(facts["confusion"], np.int64)),
        ProbabilityScores(int(n), float(nll), float(brier)),
        ReliabilityBins(
            np.array(facts["counts"], np.int64),
            np.array(facts["confidences"], np.float64),
            np.array(facts["hits"], np.int64),
        ),
    )


def _errors(facts: Mapping[str, Any]) -> ErrorsByUncertainty:
    counts, errors = (np.array(facts[key], np.int64) for key in ("counts", "errors"))
    return ErrorsByUncertainty(float(facts["bound"]), counts, errors)
