"""Under which name predictions are kept: which models said them, asked how, in which classes."""

from __future__ import annotations

from collections.abc import Sequence

from napari_active_seg.errors import NothingToDoError
from napari_active_seg.project import ModelRecord, Project
from napari_active_seg.session.trust.records import calibration_in_force
from napari_active_seg.uncertainty import measure_named

__all__ = ["class_places", "members_of", "model_of", "predicted_images", "prediction_key"]


def class_places(project: Project, model: ModelRecord) -> tuple[int, ...] | None:
    """Return the place among the classes in force of each output of ``model``.

    None if a class that it was trained for is gone.
    """
    uids = model.class_uids or tuple(range(len(model.classes)))
    places = [project.classes.current.position_of(uid) for uid in uids]
    return None if None in places else tuple(place for place in places if place is not None)


def members_of(project: Project, model: ModelRecord) -> tuple[ModelRecord, ...]:
    """Return the models that answer together where ``model`` is in use: it, and those before it.

    It alone, unless the project samples by ensemble. NothingToDoError if an ensemble has no second
    model.
    """
    if project.config.sampling != "ensemble":
        return (model,)
    others = _others(project, model)
    if not others:
        raise NothingToDoError(
            "an ensemble needs two models at least, and there is one; train again after the next "
            "round, or set sampling to dropout"
        )
    return (*others, model)


def prediction_key(project: Project, model: ModelRecord) -> str:
    """Return the name under which predictions of ``model`` are kept.

    It tells models, the classes in force, the way of sampling, temperature and calibration; the
    number of passes and their seed are not part of it.
    """
    places, config = class_places(project, model), project.config
    key = model.id
    if places is None:
        key += "@gone"
    elif places != tuple(range(len(project.schema))):
        key += f"@{'.'.join(map(str, places))}of{len(project.schema)}"
    if config.sampling == "ensemble":
        key += f"@with-{'-'.join(member.id for member in _others(project, model))}"
    elif config.sampling != "dropout":
        key += f"@{config.sampling}"
    if config.temperature != 1:
        key += f"@t{config.temperature:g}"
    calibration = calibration_in_force(project, model)
    if calibration is not None:
        key += f"@{calibration.tag}"
    return key


def predicted_images(project: Project, image_ids: Sequence[str], measure: str) -> frozenset[str]:
    """Return the images of which the model in use has said all that ``measure`` needs."""
    model = project.models.in_use()
    if model is None:
        return frozenset()
    key, needs = prediction_key(project, model), measure_named(measure).needs
    return frozenset(i for i in image_ids if project.predictions.has(key, i, extra=needs))


def _others(project: Project, model: ModelRecord) -> tuple[ModelRecord, ...]:
    """Return the models that an ensemble around ``model`` adds, the newest last."""
    fitting = [m for m in project.models.all() if m.id != model.id and class_places(project, m)]
    return tuple(fitting[-(project.config.members - 1) :])


def model_of(key: str) -> str:
    """Return the id of the model in use that a key begins with."""
    return key.partition("@")[0]
