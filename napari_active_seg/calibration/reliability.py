"""Reliability bins over any number of pixels, and the calibration errors that follow from them.

Bins are (lo, hi], with 0 in the first and 1 in the last. Counts are int64 and sums are
float64: a float32 count stops growing at 2^24, which a handful of images exceeds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.calibration.equal_mass import find_equal_mass_starts
from napari_active_seg.errors import BadInputError
from napari_active_seg.regions import UNLABELLED

__all__ = ["FINE_BINS", "ReliabilityBins", "equal_mass_bins"]

#: Number of equal-width bins from which equal-mass bins are made.
FINE_BINS = 16_384
#: Pixels at a time: what is made of them stays in the processor's cache.
_AT_A_TIME = 32_768


@dataclass(frozen=True, slots=True, eq=False)
class ReliabilityBins:
    """Counts and sums of confidence and of hits in K bins.

    The bins are of equal width unless they were made by ``equal_mass``. A leading axis stands for
    several images; ``edges`` are shared.

    Parameters
    ----------
    counts
        Number of pixels (..., K) in each bin.
    confidence_sums
        Sum of their confidences (..., K).
    hits
        Number of correctly classified pixels (..., K).
    own_edges
        Edges (K + 1,) of bins that are not of equal width.

    Examples
    --------
    >>> probs = np.array([[[0.1, 0.4]], [[0.9, 0.6]]])  # (C, H, W)
    >>> bins = ReliabilityBins.empty(5).add(probs, np.array([[1, 0]], np.uint8))
    >>> bins.counts.tolist(), bins.hits.tolist()
    ([0, 0, 1, 0, 1], [0, 0, 0, 0, 1])
    >>> round(float(bins.expected_calibration_error), 2)
    0.35
    """

    counts: NDArray[np.int64]  # (..., K)
    confidence_sums: NDArray[np.float64]  # (..., K)
    hits: NDArray[np.int64]  # (..., K)
    own_edges: NDArray[np.float64] | None = None  # (K + 1,), of bins that are not of equal width

    @staticmethod
    def empty(n_bins: int = 15) -> ReliabilityBins:
        """Return empty bins."""
        if n_bins < 1:
            raise BadInputError(f"n_bins must be 1 or more, got {n_bins}")
        zeros = np.zeros(n_bins, np.int64)
        return ReliabilityBins(zeros, np.zeros(n_bins), zeros.copy())

    @property
    def n_bins(self) -> int:
        """Number of bins K."""
        return int(self.counts.shape[-1])

    @property
    def edges(self) -> NDArray[np.float64]:
        """Bin edges, K + 1 values from 0 to 1."""
        return np.linspace(0.0, 1.0, self.n_bins + 1) if self.own_edges is None else self.own_edges

    def add(self, probs: NDArray[np.floating], target: NDArray[np.uint8]) -> ReliabilityBins:
        """Return bins with one image added.

        Parameters
        ----------
        probs
            Class probabilities (C, H, W).
        target
            Labels (H, W); pixels of 255 are left out.

        Raises
        ------
        BadInputError
            If the shapes do not match, probabilities hold NaN, or the bins have equal mass.
        """
        if self.own_edges is not None:
            raise BadInputError("bins of equal mass are made at the end, of fine bins")
        if probs.shape[1:] != target.shape:
            raise BadInputError(f"probs {probs.shape} and target {target.shape} do not match")
        sums = np.zeros(2 * self.n_bins + 2)
        counts = np.zeros(2 * self.n_bins + 2, np.int64)
        places = _BinIndex(self.n_bins)
        for values, truth in _pieces(probs, target):
            confidence, hit = _confidence_and_hit(values, truth)
            index = places.of(confidence, hit, exact_product=values.dtype != np.float64)
            sums += np.bincount(index, confidence, len(sums))
            counts += np.bincount(index, minlength=len(counts))
        by_hit = counts.reshape(-1, 2)
        return self + ReliabilityBins(
            _fold(by_hit.sum(axis=1)),
            _fold(sums.reshape(-1, 2).sum(axis=1)),
            _fold(by_hit[:, 1]),
        )

    def __add__(self, other: ReliabilityBins) -> ReliabilityBins:
        return ReliabilityBins(
            self.counts + other.counts,
            self.confidence_sums + other.confidence_sums,
            self.hits + other.hits,
            self.own_edges,
        )

    def equal_mass(self, n_bins: int = 15) -> ReliabilityBins:
        """Merge neighbouring bins into bins of about the same number of pixels each.

        Pixels of one bin stay together, so that fine bins give the same as single confidences,
        up to their width.
        """
        if not self.counts.any():
            return ReliabilityBins.empty(n_bins)
        starts = find_equal_mass_starts(self.counts, n_bins)
        return ReliabilityBins(
            np.add.reduceat(self.counts, starts),
            np.add.reduceat(self.confidence_sums, starts),
            np.add.reduceat(self.hits, starts),
            np.append(self.edges[starts], 1.0),
        )

    @property
    def mean_confidence(self) -> NDArray[np.float64]:
        """Mean confidence in each bin; NaN where a bin is empty."""
        return _ratio(self.confidence_sums, self.counts)

    @property
    def accuracy(self) -> NDArray[np.float64]:
        """Share of right pixels in each bin; NaN where a bin is empty."""
        return _ratio(self.hits.astype(np.float64), self.counts)

    @property
    def expected_calibration_error(self) -> NDArray[np.float64]:
        """Mean over pixels of |accuracy - confidence| of their bin; NaN without pixels."""
        gaps = np.abs(self.hits - self.confidence_sums).sum(axis=-1)
        return _ratio(gaps, self.counts.sum(axis=-1))

    @property
    def maximum_calibration_error(self) -> NDArray[np.float64]:
        """The largest |accuracy - confidence| of any bin that holds a pixel; NaN without one."""
        gaps = np.abs(self.hits - self.confidence_sums)
        largest = np.where(self.counts > 0, _ratio(gaps, self.counts), -1.0).max(axis=-1)
        return np.where(largest < 0, np.nan, largest)


def equal_mass_bins(
    probs: NDArray[np.floating], target: NDArray[np.uint8], n_bins: int = 15
) -> ReliabilityBins:
    """Return bins of equal mass from single confidences, which are sorted all at once.

    Exact, and of the size of its input; ``ReliabilityBins.empty(FINE_BINS)`` takes any number of
    pixels, and its ``equal_mass`` differs by the width of a fine bin. Equal confidences stay
    together.
    """
    labelled = target != UNLABELLED
    confidence, winner = _winners(probs[:, labelled])
    values, places, counts = np.unique(confidence, return_inverse=True, return_counts=True)
    if len(values) == 0:
        return ReliabilityBins.empty(n_bins)
    hit = winner == target[labelled]
    hits = np.bincount(places[hit], minlength=len(values))
    edges = np.concatenate(([0.0], values))
    single = ReliabilityBins(counts.astype(np.int64), values * counts, hits, edges)
    return single.equal_mass(n_bins)


def _pieces(
    probs: NDArray[np.floating], target: NDArray[np.uint8]
) -> Iterator[tuple[NDArray[np.floating], NDArray[np.uint8]]]:
    """Yield (C, n) and (n,) of whole rows, as many as go into the cache at a time."""
    n_classes, height, width = probs.shape
    rows = max(1, _AT_A_TIME // max(1, width))
    for y in range(0, height, rows):
        part = probs[:, y : y + rows].reshape(n_classes, -1)
        yield part, target[y : y + rows].reshape(-1)


def _confidence_and_hit(
    values: NDArray[np.floating], truth: NDArray[np.uint8]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return the confidence of the labelled columns of (C, n), and which of them are right."""
    confidence, winner = _winners(values)
    hit = winner == truth
    if truth.max(initial=0) == UNLABELLED:
        labelled = truth != UNLABELLED
        confidence, hit = confidence[labelled], hit[labelled]
    if np.isnan(confidence.max(initial=0.0)):
        raise BadInputError("the probabilities hold NaN; predict again")
    return confidence, hit


def _winners(values: NDArray[np.floating]) -> tuple[NDArray[np.float64], NDArray[np.integer]]:
    """Return the highest probability of each column of (C, n) and whose it is."""
    if len(values) == 2:  # the common case, and many times faster than argmax along it
        winner = (values[1] > values[0]).view(np.uint8)
        return np.maximum(values[0], values[1]).astype(np.float64), winner
    places = values.argmax(axis=0)
    return np.take_along_axis(values, places[None], axis=0)[0].astype(np.float64), places


class _BinIndex:
    """Assigns values to K bins (lo, hi] of equal width, exact to the last bit of the edges.

    Places 2 k + 2 and 2 k + 3 are bin k, of misses and of hits; the first two are values of
    exactly 0, which belong to the first bin.
    """

    def __init__(self, n_bins: int) -> None:
        self._k = n_bins
        self._edges = np.linspace(0.0, 1.0, n_bins + 1)
        self._narrow = np.uint8 if 2 * n_bins + 2 < 256 else np.uint32

    def of(
        self, values: NDArray[np.float64], hit: NDArray[np.bool_], *, exact_product: bool
    ) -> NDArray[np.intp]:
        """Return the place of each value in 0..1.

        ``exact_product`` means that values have the digits of a shorter type, so that their product
        with K is exact; else it may round to the wrong side of an edge, and edges are compared.
        """
        product = values * self._k
        np.ceil(product, out=product)
        if values.max(initial=0.0) > 1:  # a softmax may end a digit above 1
            np.minimum(product, self._k, out=product)
        if not exact_product:
            place = product.astype(np.intp)
            place -= values <= self._edges[np.maximum(place - 1, 0)]
            np.maximum(place, 0, out=place)
            place += (values > self._edges[place]) & (place < self._k)
            return 2 * place + hit
        narrow = product.astype(self._narrow)  # many of them fit into one step of the processor
        np.left_shift(narrow, 1, out=narrow)
        np.bitwise_or(narrow, hit.view(np.uint8), out=narrow)
        return narrow.astype(np.intp)


def _fold(of_places: NDArray[Any]) -> NDArray[Any]:
    """Return what was summed over K + 1 places as sums over K bins."""
    bins = of_places[1:].copy()
    bins[0] += of_places[0]
    return bins


def _ratio(sums: NDArray[np.number], counts: NDArray[np.int64]) -> NDArray[np.float64]:
    out = np.full(np.shape(counts), np.nan)
    np.divide(sums, counts, out=out, where=np.asarray(counts) > 0)
    return out
