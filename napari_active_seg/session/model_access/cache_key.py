"""The keys of stored predictions: the models, how they predicted, and in which classes."""

from __future__ import annotations

from collections.abc import Sequence

from napari_active_seg.project import ModelRecord, Project
from napari_active_seg.session.model_access.ensembles import class_places, other_members
from napari_active_seg.session.model_access.model_records import active_calibration
from napari_active_seg.uncertainty import get_measure

__all__ = ["model_of", "predicted_images", "prediction_key"]


def prediction_key(project: Project, model: ModelRecord) -> str:
    """Return the name under which predictions of ``model`` are kept.

    It depends on the models, the current classes, the sampling, temperature and calibration; the
    number of passes and their seed are not part of it.
    """
    places, config = class_places(project, model), project.config
    key = model.id
    if places is None:
        key += "@gone"
    elif places != tuple(range(len(project.schema))):
        key += f"@{'.'.join(map(str, places))}of{len(project.schema)}"
    others = other_members(project, model)
    if config.inference.uncertainty_from == "ensemble":
        key += f"@with-{'-'.join(member.id for member in others)}"
    elif config.inference.uncertainty_from != "dropout":
        key += f"@{config.inference.uncertainty_from}"
    if config.inference.temperature != 1:
        key += f"@t{config.inference.temperature:g}"
    calibration = active_calibration(project, model)
    if calibration is not None:
        key += f"@{calibration.tag}"
    return key


def predicted_images(project: Project, image_ids: Sequence[str], measure: str) -> frozenset[str]:
    """Return the images whose stored prediction has all that ``measure`` needs."""
    model = project.models.in_use()
    if model is None:
        return frozenset()
    key, needs = prediction_key(project, model), get_measure(measure).needs
    return frozenset(i for i in image_ids if project.predictions.has(key, i, extra=needs))


def model_of(key: str) -> str:
    """Return the id of the model in use that a key begins with."""
    return key.partition("@")[0]
