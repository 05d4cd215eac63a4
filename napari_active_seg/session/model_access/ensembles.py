"""Which models answer together, and in which of the classes that are in force."""

from __future__ import annotations

from napari_active_seg.errors import NothingToDoError
from napari_active_seg.project import ModelRecord, Project

__all__ = ["class_places", "members_of", "other_members"]


def class_places(project: Project, model: ModelRecord) -> tuple[int, ...] | None:
    """Return the place among the classes in force of each output of ``model``.

    None if a class that it was trained for is gone.
    """
    uids = model.class_uids or tuple(range(len(model.classes)))
    places = [project.classes.current.get_position(uid) for uid in uids]
    return None if None in places else tuple(place for place in places if place is not None)


def members_of(project: Project, model: ModelRecord) -> tuple[ModelRecord, ...]:
    """Return the models that answer together where ``model`` is in use: it, and those before it.

    It alone, unless the project samples by ensemble. NothingToDoError if an ensemble has no second
    model.
    """
    if project.config.inference.uncertainty_from != "ensemble":
        return (model,)
    others = other_members(project, model)
    if not others:
        raise NothingToDoError(
            "an ensemble needs two models at least, and there is one; train again after the next "
            "round, or set uncertainty_from to dropout"
        )
    return (*others, model)


def other_members(project: Project, model: ModelRecord) -> tuple[ModelRecord, ...]:
    """Return the models that an ensemble around ``model`` adds, the newest last; else none."""
    if project.config.inference.uncertainty_from != "ensemble":
        return ()
    fitting = [m for m in project.models.all() if m.id != model.id and class_places(project, m)]
    return tuple(fitting[-(project.config.inference.ensemble_size - 1) :])
