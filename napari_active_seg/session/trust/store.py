"""What the event log records of trust: agreement of models and cross-validations.

Each record is an event whose subject is the model; it is never changed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from napari_active_seg.errors import BadInputError
from napari_active_seg.metrics import report_from_facts, report_to_facts
from napari_active_seg.project import Project
from napari_active_seg.session.trust.cross_validate import CrossValidation, Fold

__all__ = [
    "AGREED",
    "CROSS_VALIDATED",
    "changes_since",
    "load_cross_validation",
    "store_agreement",
    "store_cross_validation",
]

AGREED = "compared on the pool"
CROSS_VALIDATED = "cross-validated"


def store_agreement(
    project: Project, model_id: str, earlier: str, kappa: float, changed: float
) -> None:
    """Write down how far two successive models agree on the pool."""
    facts = {"model": model_id, "with": earlier, "kappa": kappa, "changed": changed}
    project.events.add(AGREED, model_id, facts=facts)


# --- cross-validation ----------------------------------------------------------------------------


def store_cross_validation(project: Project, result: CrossValidation) -> None:
    """Write down an estimate from cross-validation, with all that it was made from."""
    facts = {
        "model": result.model_id,
        "preset": result.preset,
        "seed": result.seed,
        "data_hash": result.data_hash,
        "class_uids": list(result.class_uids),
        "images": result.n_images,
        "regions": result.n_regions,
        "folds": [asdict(fold) for fold in result.folds],
        "estimates": {
            name: [None if math.isnan(v) else v for v in (known.value, known.low, known.high)]
            for name, known in result.estimates.items()
        },
        "report": report_to_facts(result.report),
        "random": report_to_facts(result.random),
        "groups": dict(result.groups),
        "n_random": result.n_random,
        "n_chosen": result.n_chosen,
        "saves": dict(result.saves),
        "notes": list(result.notes),
    }
    project.events.add(CROSS_VALIDATED, result.model_id, facts=facts)


def load_cross_validation(project: Project) -> CrossValidation | None:
    """Return the latest cross-validation; None where there is none in the current classes."""
    events = project.events.named(CROSS_VALIDATED)
    if not events:
        return None
    facts: Mapping[str, Any] = events[-1].facts
    try:
        found = CrossValidation(
            model_id=str(facts["model"]),
            preset=str(facts["preset"]),
            seed=int(facts["seed"]),
            data_hash=str(facts["data_hash"]),
            class_uids=tuple(facts["class_uids"]),
            folds=tuple(
                Fold(tuple(one["image_ids"]), one["n_regions"], one["n_training_regions"])
                for one in facts["folds"]
            ),
            report=report_from_facts(facts["report"]),
            random=report_from_facts(facts["random"]),
            groups=facts["groups"],
            n_random=int(facts["n_random"]),
            n_chosen=int(facts["n_chosen"]),
            saves=facts["saves"],
            notes=tuple(facts["notes"]),
        )
    except (BadInputError, KeyError, TypeError, ValueError):
        return None
    return found if found.class_uids == project.classes.current.uids else None


def changes_since(saves: Mapping[str, str], current: Mapping[str, str]) -> int:
    """Return how many regions were finished, changed or reopened; both are saves by region."""
    return sum(saves.get(i) != current.get(i) for i in saves.keys() | current.keys())
