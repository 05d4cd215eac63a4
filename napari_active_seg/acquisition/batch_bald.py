"""BatchBALD (Kirsch et al. 2019): the joint mutual information of a batch's labels and the model.

    a(x_1..x_b) = H(y_1..y_b) - E_w [H(y_1 | w) + .. + H(y_b | w)]

The joint entropy is exact over all C^b outcomes as long as there are few, and estimated from
drawn outcomes beyond that.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import xlogy

from napari_active_seg.errors import BadInputError

__all__ = ["BatchBald"]

#: Joint outcomes that are all gone through; beyond that as many are drawn.
_OUTCOMES = 4096
#: Candidates whose joint entropies are worked out at once.
_AT_ONCE = 64


class BatchBald:
    """Builds a batch from ``samples`` (N, T, C): class probabilities of N regions in T samples."""

    def __init__(self, samples: NDArray[np.floating], rng: np.random.Generator) -> None:
        if samples.ndim != 3 or samples.shape[1] < 2:
            raise BadInputError(
                "BatchBALD needs class probabilities (N, T, C) of two passes or more, got "
                f"{samples.shape}; set more samples"
            )
        self._samples = samples.astype(np.float64)
        self._rng = rng
        self._conditional = -xlogy(self._samples, self._samples).sum(axis=2).mean(axis=1)
        self._joint = np.ones((self._samples.shape[1], 1))  # (T, outcomes): their probability
        self._weights = np.ones(1)  # how many outcomes each stands for
        self._spent = 0.0
        self.total = 0.0

    def gains(self) -> NDArray[np.float64]:
        """Return what each candidate (N,) would add to the batch's information, in nats."""
        joint = np.concatenate(
            [
                self._entropy(self._samples[start : start + _AT_ONCE])
                for start in range(0, len(self._samples), _AT_ONCE)
            ]
        )
        return joint - self._conditional - self._spent - self.total

    def add(self, index: int) -> None:
        """Add a region to the batch."""
        gain = float(self.gains()[index])
        chosen = self._samples[index]  # (T, C)
        n_passes, n_classes = chosen.shape
        grown = (self._joint[:, :, None] * chosen[:, None, :]).reshape(n_passes, -1)
        weights = np.repeat(self._weights, n_classes)
        if grown.shape[1] > _OUTCOMES:
            grown, weights = self._drawn(grown, weights)
        self._joint, self._weights = grown, weights
        self._spent += float(self._conditional[index])
        self.total += gain

    def _entropy(self, samples: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the joint entropy (n,) of the batch with each of ``samples`` (n, T, C)."""
        n_passes = samples.shape[1]
        together = np.einsum("tk,ntc->nkc", self._joint, samples) / n_passes
        entropies: NDArray[np.float64] = -(
            xlogy(together, together) * self._weights[None, :, None]
        ).sum(axis=(1, 2))
        return entropies

    def _drawn(
        self, joint: NDArray[np.float64], weights: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return fewer outcomes, drawn by probability, each standing for more.

        An outcome of probability p is expected n p times among n draws, so that a sum over all
        outcomes is that over the drawn ones divided by n p.
        """
        mean = joint.mean(axis=0) * weights
        chances = mean / mean.sum()
        counts = self._rng.multinomial(_OUTCOMES, chances)
        kept = np.flatnonzero(counts)
        return joint[:, kept], weights[kept] * counts[kept] / (_OUTCOMES * chances[kept])
