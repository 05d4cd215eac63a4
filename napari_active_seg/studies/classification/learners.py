"""The learners of an arm: a network with dropout, or label propagation on a graph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.acquisition.expected_error_reduction import (
    LabelField,
    fit_label_field,
    keep_nearest,
    rbf_similarity,
)
from napari_active_seg.acquisition.k_centre import k_centre_greedy
from napari_active_seg.models.image_classifier import Classifier
from napari_active_seg.studies.classification.settings import CORE_SET, RANDOM
from napari_active_seg.studies.classification.splits import ImagePool
from napari_active_seg.uncertainty import Moments, MomentStream, get_measure

__all__ = ["GraphLearner", "Learner", "NetworkLearner", "RowsOf", "never_cancelled"]

#: The number of neighbours from which an image takes its label in a graph.
_NEAREST = 5


class Learner(Protocol):
    """Something that has learned from the labels of a round."""

    def predict(self, images: NDArray[np.uint8]) -> Moments:
        """Return the predictions for images, (C, N, 1)."""

    def worth(self, shown: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the value of labels of the pool's images at ``shown``."""


@dataclass(frozen=True, slots=True, eq=False)
class NetworkLearner:
    """A network with MC dropout; the value of an image is its uncertainty.

    ``others`` are further members of an ensemble. Of a core-set, the ``count`` images that are
    taken have the higher values the earlier they are taken.
    """

    model: Classifier
    pool: ImagePool
    measure: str
    passes: int
    seed: int
    labelled: NDArray[np.int64]
    count: int
    others: tuple[Classifier, ...] = ()

    def predict(self, images: NDArray[np.uint8]) -> Moments:
        """Return the predictions of the first member for images, (C, N, 1)."""
        return self.model.predict(
            images, passes=self.passes, seed=self.seed, check_cancelled=never_cancelled
        )

    def worth(self, shown: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the measure of each image; equal values for a random choice."""
        if self.measure == RANDOM:
            return np.zeros(len(shown), np.float64)
        if self.measure == CORE_SET:
            return self._taken_early(shown)
        predicted = self._together(self.pool.images[shown])
        return get_measure(self.measure).compute(predicted)[:, 0].astype(np.float64)

    def _together(self, images: NDArray[np.uint8]) -> Moments:
        """Return the predictions of all members, each as one sample."""
        if not self.others:
            return self.predict(images)
        stream = MomentStream()
        for member in (self.model, *self.others):
            plain = member.predict(images, passes=0, seed=0, check_cancelled=never_cancelled)
            stream.add(plain.mean_p)
        return stream.moments()

    def _taken_early(self, shown: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return by what is left of the count how early k-centre greedy takes each image."""
        points, centres = (
            self.model.features(self.pool.images[places]) for places in (shown, self.labelled)
        )
        rng = np.random.default_rng((self.seed, 11))
        taken = list(k_centre_greedy(points, centres, self.count, rng))
        worth = np.zeros(len(shown), np.float64)
        worth[taken] = np.arange(len(taken), 0, -1)
        return worth


class GraphLearner:
    """Labels spread by likeness; an image is worth the errors that its label should save.

    ``rows`` (N, F) are what images of the pool are compared by, and ``of`` makes the same of
    others. A kernel is as wide as the median distance to the nearest other image, and reaches from
    each image to the five that are nearest.
    """

    def __init__(
        self,
        rows: NDArray[np.floating],
        of: RowsOf,
        *,
        labelled: NDArray[np.int64],
        open_places: NDArray[np.int64],
        labels: NDArray[np.integer],
    ) -> None:
        self._of = of
        self._places = np.union1d(labelled, open_places)
        self._rows = rows[self._places]
        squares = (self._rows**2).sum(1)
        apart = squares[:, None] + squares[None, :] - 2 * self._rows @ self._rows.T
        np.fill_diagonal(apart, np.inf)
        nearest = np.sqrt(np.maximum(apart.min(axis=1), 0))
        self._width = max(float(np.median(nearest)), 1e-6)
        alike = rbf_similarity(self._rows, self._rows, width=self._width)
        np.fill_diagonal(alike, 0)
        one_way = keep_nearest(alike, _NEAREST)
        graph = np.maximum(one_way, one_way.T)
        inside = np.searchsorted(self._places, labelled)
        self._field: LabelField = fit_label_field(graph, inside, labels)
        self._values = np.empty(len(self._places))
        self._rest = np.setdiff1d(np.arange(len(self._places)), inside)
        self._values[self._rest] = self._field.values
        self._values[inside] = labels

    def predict(self, images: NDArray[np.uint8]) -> Moments:
        """Return the mean labels of the nearest in the graph for images, as one sample."""
        alike = rbf_similarity(self._of(images), self._rows, width=self._width)
        weights = keep_nearest(alike, _NEAREST)
        total = weights.sum(axis=1)
        second = np.where(total > 0, weights @ self._values / np.maximum(total, 1e-300), 0.5)
        stream = MomentStream()
        stream.add(np.stack([1 - second, second])[..., None])
        return stream.moments()

    def worth(self, shown: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return minus the risk that is expected after asking about each image."""
        risk = np.full(len(self._places), np.inf)
        risk[self._rest] = self._field.expected_risk
        return -risk[np.searchsorted(self._places, shown)]


class RowsOf(Protocol):
    """Makes of images (N, H, W, C) what they are compared by (N, F)."""

    def __call__(self, images: NDArray[np.uint8]) -> NDArray[np.floating]:
        """Return a row for each image."""


def never_cancelled() -> None:
    """Do nothing: a study is stopped by ending its process."""
