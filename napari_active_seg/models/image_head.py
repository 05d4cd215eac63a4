"""The interface to classifiers of whole images on features: numpy in, numpy out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.uncertainty import Moments

__all__ = ["FitHead", "HeadExamples", "ImagePredictions"]

#: Predicts the classes of rows (N, F), one an image, as moments (C, N, 1).
ImagePredictions = Callable[[NDArray[np.floating]], Moments]


@dataclass(frozen=True, slots=True, eq=False)
class HeadExamples:
    """Features of images (N, F) and which of ``n_classes`` they are (N,)."""

    rows: NDArray[np.floating]
    labels: Sequence[int]
    n_classes: int


#: Learns a head of dense layers with dropout: examples, seed, and a check that may raise.
FitHead = Callable[[HeadExamples, int, Callable[[], None]], ImagePredictions]
