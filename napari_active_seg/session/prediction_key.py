"""What a model's outputs mean in the classes that are in force."""

from __future__ import annotations

from napari_active_seg.project import ModelRecord, Project

__all__ = ["class_places", "prediction_key"]


def class_places(project: Project, model: ModelRecord) -> tuple[int, ...] | None:
    """Return the place among the classes in force of each output of ``model``.

    None if a class that it was trained for is gone.
    """
    uids = model.class_uids or tuple(range(len(model.classes)))
    places = [project.classes.current.position_of(uid) for uid in uids]
    return None if None in places else tuple(place for place in places if place is not None)


def prediction_key(project: Project, model: ModelRecord) -> str:
    """Return the name under which predictions of ``model`` in the present classes are kept."""
    places = class_places(project, model)
    count = len(project.schema)
    if places is None:
        return f"{model.id}@gone"
    if places == tuple(range(count)):
        return model.id
    return f"{model.id}@{'.'.join(map(str, places))}of{count}"
