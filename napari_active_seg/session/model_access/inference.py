"""How a project predicts with its models."""

from __future__ import annotations

from napari_active_seg.metrics.instances import InstanceRules
from napari_active_seg.models.inference_options import InferenceOptions
from napari_active_seg.project import ModelRecord, Project
from napari_active_seg.session.model_access.model_records import active_calibration
from napari_active_seg.uncertainty import get_measure

__all__ = ["inference_options", "with_contours"]


def inference_options(
    project: Project,
    *,
    samples: int | None = None,
    measure: str | None = None,
    model: ModelRecord | None = None,
) -> InferenceOptions:
    """Return how the project predicts, with the extra output that ``measure`` needs.

    With ``model``, its calibration is applied where one is in use.
    """
    config = project.config
    needed = None if measure is None else get_measure(measure).needs
    return config.inference.with_changes(
        samples=config.inference.samples if samples is None else samples,
        seed=config.seed,
        extras=() if needed is None else (needed,),
        fitted_calibration=active_calibration(project, model),
    )


def with_contours(options: InferenceOptions, rules: InstanceRules | None) -> InferenceOptions:
    """Return the options with contours, where there are rules to make objects of them."""
    return options if rules is None else options.with_changes(extras=(*options.extras, "contour"))
