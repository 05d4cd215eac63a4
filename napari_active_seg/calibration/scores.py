"""Proper scores of predicted probabilities, streamed over labelled pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.errors import BadInputError
from napari_active_seg.regions import UNLABELLED

__all__ = ["ProbabilityScores"]

#: A float32 softmax can round the label's probability to 0; its smallest normal number stands
#: in, so that one pixel costs 87 nats instead of making the mean infinite.
_SMALLEST = float(np.finfo(np.float32).tiny)


@dataclass(frozen=True, slots=True)
class ProbabilityScores:
    """Sums of the negative log-likelihood and of the Brier score over ``n`` pixels."""

    n: int = 0
    nll_sum: float = 0.0
    brier_sum: float = 0.0

    def add(self, probs: NDArray[np.floating], target: NDArray[np.uint8]) -> ProbabilityScores:
        """Return the scores with the labelled pixels of (C, H, W) ``probs`` added."""
        if probs.shape[1:] != target.shape:
            raise BadInputError(f"probs {probs.shape} and target {target.shape} do not match")
        labelled = target != UNLABELLED
        p = probs[:, labelled].astype(np.float64)
        of_label = np.take_along_axis(p, target[labelled][None].astype(np.intp), axis=0)[0]
        nll = -np.log(np.maximum(of_label, _SMALLEST))
        brier = (p**2).sum(axis=0) - 2.0 * of_label + 1.0
        return ProbabilityScores(
            self.n + p.shape[1],
            self.nll_sum + float(nll.sum()),
            self.brier_sum + float(brier.sum()),
        )

    def __add__(self, other: ProbabilityScores) -> ProbabilityScores:
        return ProbabilityScores(
            self.n + other.n, self.nll_sum + other.nll_sum, self.brier_sum + other.brier_sum
        )

    @property
    def nll(self) -> float:
        """Mean of -log p of the label, in nats; NaN without pixels."""
        return self.nll_sum / self.n if self.n else float("nan")

    @property
    def brier(self) -> float:
        """Mean of sum_c (p_c - y_c)^2, in 0..2; NaN without pixels."""
        return self.brier_sum / self.n if self.n else float("nan")
