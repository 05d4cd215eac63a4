"""Whether a model predicts one class nearly everywhere although the labels hold others."""

from __future__ import annotations

import numpy as np

from napari_active_seg.metrics.confusion import ConfusionMatrix

__all__ = ["LEAST_COLLAPSED_SHARE", "find_collapsed_class"]

#: A model that predicts one class for less of the pixels has not collapsed.
LEAST_COLLAPSED_SHARE = 0.98
#: Least share of the other classes predicted as that one: finding a rare class is not a collapse.
_LEAST_MISSED = 0.9


def find_collapsed_class(confusion: ConfusionMatrix) -> int | None:
    """Return the class that a model predicts nearly everywhere, missing the others.

    None for a model that finds the other classes, and where no other class is labelled: then
    it is unknown.

    >>> find_collapsed_class(ConfusionMatrix(np.array([[1, 99], [0, 900]])))
    1
    >>> find_collapsed_class(ConfusionMatrix(np.array([[990, 0], [2, 8]]))) is None
    True
    """
    if confusion.n_pixels == 0:
        return None
    predicted, labelled = confusion.predicted, confusion.labelled
    dominant = int(np.argmax(predicted))
    others = confusion.n_pixels - int(labelled[dominant])
    missed = int(predicted[dominant]) - int(confusion.hits[dominant])
    is_everywhere = predicted[dominant] >= LEAST_COLLAPSED_SHARE * confusion.n_pixels
    return dominant if is_everywhere and others and missed >= _LEAST_MISSED * others else None
