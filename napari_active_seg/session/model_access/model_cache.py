"""The models of a project as segmenters that answer in the classes that are in force."""

from __future__ import annotations

import json
from pathlib import Path

from napari_active_seg.errors import ModelError
from napari_active_seg.models.segmenter import Segmenter, SegmenterFactory, TrainableSegmenter
from napari_active_seg.project import ModelRecord, Project, checkpoint_facts, hash_weights
from napari_active_seg.session.model_access.cache_key import prediction_key
from napari_active_seg.session.model_access.ensembles import class_places, members_of

__all__ = ["ModelCache"]


class ModelCache:
    """Loads models, and keeps the one that was used last."""

    def __init__(self, project: Project, networks: SegmenterFactory) -> None:
        self._project = project
        self.networks = networks
        self._loaded: tuple[str, Segmenter] | None = None

    def __reduce__(self) -> tuple[type[ModelCache], tuple[Project, SegmenterFactory]]:
        """Cross to another process as an empty cache of the same project."""
        return ModelCache, (self._project, self.networks)

    def free_memory(self) -> None:
        """Move the loaded model off the GPU until it is used again."""
        if self._loaded is not None:
            self._loaded[1].free_memory()
        self.networks.free_memory()

    def clear(self) -> None:
        """Keep nothing."""
        self._loaded = None
        self.networks.free_memory()

    def get(self, model: ModelRecord) -> Segmenter:
        """Return the segmenter of a model, or of the ensemble that it belongs to, and keep it.

        ModelError if a class of it is gone.
        """
        key = prediction_key(self._project, model)
        if self._loaded is not None and self._loaded[0] == key:
            return self._loaded[1]
        loaded = self.load_ensemble(model)
        self._loaded = (key, loaded)
        return loaded

    def load_ensemble(self, model: ModelRecord) -> Segmenter:
        """Load the segmenter of a model, or of the ensemble that it belongs to."""
        records = members_of(self._project, model)
        lost = [r.id for r in records if not self._project.models.has_file(r.id)]
        if lost and lost != [model.id]:
            raise ModelError(
                f"the ensemble cannot answer: the file of {' and '.join(lost)} is not there; put "
                "it back, or set uncertainty_from to dropout"
            )
        members = [self.load(member) for member in records]
        return members[0] if len(members) == 1 else self.networks.ensemble(members)

    def load(self, model: ModelRecord) -> TrainableSegmenter:
        """Load one model as it was saved; it may be trained on.

        ModelError if a class of it is gone.
        """
        places = class_places(self._project, model)
        if places is None:
            raise ModelError(
                f"model {model.id} was trained for {', '.join(model.classes)}, and one of these "
                "classes is gone; train a new one, or undo the change of classes"
            )
        path = self._project.models.path(model.id)
        _check_file(path, model)
        classes = self._project.schema.names
        return self.networks.load(path, classes=classes, outputs=places)


def _check_file(path: Path, model: ModelRecord) -> None:
    """Raise ModelError where a file of weights is not the model that the project recorded.

    Header and content are compared; models of older versions have no hash of their content. A
    merge may store a model under another id, so that its data and seed are compared instead.
    """
    header = checkpoint_facts(path)
    recorded = {
        "data_hash": model.data_hash,
        "seed": str(model.seed),
        "classes": json.dumps(model.classes),
    }
    wrong = [key for key, value in recorded.items() if header.get(key, value) != value]
    if wrong:
        raise ModelError(
            f"the file {path.name} is not model {model.id}: its {', '.join(wrong)} differ from "
            "what the project recorded; put the right file back, or use another model"
        )
    if model.weights_hash and path.is_file() and hash_weights(path) != model.weights_hash:
        raise ModelError(
            f"the file {path.name} has changed since model {model.id} was trained; put the right "
            "file back, or use another model"
        )
