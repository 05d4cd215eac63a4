"""Models that predict one class nearly everywhere: they have not learned to separate classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from napari_active_seg.metrics import (
    LEAST_COLLAPSED_SHARE,
    ConfusionMatrix,
    find_collapsed_class,
)
from napari_active_seg.project import ModelRecord, Project, Split
from napari_active_seg.session.labels.class_counts import count_classes, find_only_class
from napari_active_seg.session.labels.whole_images import compose_labels
from napari_active_seg.session.model_access.cache_key import prediction_key
from napari_active_seg.session.model_access.model_records import load_evaluation

__all__ = ["Collapse", "check_confusion", "find_collapse", "store_collapse"]

#: The event that records what was found after a training.
_FOUND = "predicts one class"
#: Number of predicted images to check.
_MOST_IMAGES = 6


@dataclass(frozen=True, slots=True)
class Collapse:
    """A model that predicts one class for nearly all pixels."""

    model_id: str
    class_name: str
    share: float  #: of the pixels
    pixels: str  #: which pixels, such as "validation"

    def describe(self) -> str:
        """Return what was found and what to do about it."""
        percent = f"{np.floor(1000 * self.share) / 10:g} %"
        return (
            f"{self.model_id} predicts {self.class_name} for {percent} of the {self.pixels} "
            "pixels: it has not learned to tell the classes apart. Label regions that show the "
            "other classes too, and train again; if they are labelled already, train longer"
        )


def check_confusion(
    confusion: ConfusionMatrix, names: Sequence[str], *, model_id: str, pixels: str
) -> Collapse | None:
    """Return the collapse that a confusion matrix shows; None where it shows none."""
    found = find_collapsed_class(confusion)
    if found is None:
        return None
    share = float(confusion.predicted[found] / confusion.n_pixels)
    return Collapse(model_id, names[found], share, pixels)


def store_collapse(project: Project, collapse: Collapse) -> None:
    """Record what was found of a model after its training."""
    project.events.add(_FOUND, collapse.model_id, facts=asdict(collapse))


def find_collapse(project: Project, model: ModelRecord) -> Collapse | None:
    """Return whether a model predicts one class nearly everywhere.

    As far as that is known from its training, from its scores on the validation, or from its
    cached predictions.
    """
    for event in project.events.of(model.id, what=_FOUND):
        facts = event.facts
        share = facts.get("share")
        if isinstance(share, int | float):
            name, pixels = str(facts.get("class_name")), str(facts.get("pixels"))
            return Collapse(model.id, name, float(share), pixels)
    report = load_evaluation(project, model.id)
    if report is not None:
        found = check_confusion(
            report.confusion, report.classes, model_id=model.id, pixels="validation"
        )
        if found is not None:
            return found
    return _in_predictions(project, model)


def _in_predictions(project: Project, model: ModelRecord) -> Collapse | None:
    """Return what cached predictions of pool images show, labelled images first."""
    key, names, cache = prediction_key(project, model), project.schema.names, project.predictions
    pool = [ref.id for ref in project.images.all(Split.POOL)]
    labels = project.labels.done(pool)
    labelled = {label.region.image_id for label in labels}
    predicted = [image_id for image_id in pool if cache.has(key, image_id)]
    predicted.sort(key=lambda image_id: image_id not in labelled)
    counts, confusion = np.zeros(len(names), np.int64), ConfusionMatrix.empty(len(names))
    reader = cache.clone()
    for image_id in predicted[:_MOST_IMAGES]:
        prediction = reader.load(key, image_id)
        if prediction is None or prediction.moments.n_classes != len(names):
            continue
        classes = prediction.classes
        counts += np.bincount(classes.ravel(), minlength=len(names))
        if image_id in labelled:
            target = compose_labels(project, image_id, step=prediction.step)
            if target.shape == classes.shape:
                confusion = confusion.add(classes, target)
    if counts.max(initial=0) < max(1, LEAST_COLLAPSED_SHARE * counts.sum()):
        return None
    dominant = int(np.argmax(counts))
    learned_one = find_only_class(count_classes(labels, len(names))) == dominant
    if not learned_one and find_collapsed_class(confusion) != dominant:
        return None  # the others may just be rare
    share = float(counts[dominant] / counts.sum())
    return Collapse(model.id, names[dominant], share, "predicted")
