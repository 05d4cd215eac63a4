"""Running statistics over T stochastic predictions, so that memory does not grow with T.

For class probabilities p_t (C, H, W) of pass t the moments are

- the mean of p_t,
- the mean over t of sum_c p log p (the negative expected entropy, which BALD needs),
- the variance of p_t over t, by Welford's recurrence: the difference of mean(p^2) and
  mean(p)^2 cancels in float32,
- the votes: how often each class had the highest probability.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.special import xlogy

from napari_active_seg.errors import BadInputError
from napari_active_seg.regions import Region

__all__ = ["EXTRAS", "MomentStream", "Moments", "Prediction"]

#: What a network can say besides its passes, and how.
EXTRAS: Mapping[str, str] = {
    "contour": "probability (H, W) that the pixel lies on the outline of an object",
    "discriminator": "how real the prediction looks (H, W), 0 to 1",
    "learned-loss": "the loss (H, W) that the network expects of itself, on any scale",
    "mirrored": "class probabilities (C, H, W) of the mirrored image, mirrored back",
    "random": "a seeded draw (H, W), 0 to 1",
}


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """Statistics of ``n`` passes; every uncertainty measure is a function of them.

    ``extras`` holds what some measures need besides, by the names in ``EXTRAS``; each array ends
    in (H, W).
    """

    n: int
    mean_p: NDArray[np.float32]  # (C, H, W)
    mean_plogp: NDArray[np.float32]  # (H, W), in nats, at most 0
    var_p: NDArray[np.float32]  # (C, H, W), population variance
    votes: NDArray[np.uint16]  # (C, H, W), they sum to n
    extras: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.n < 1:
            raise BadInputError(f"moments need at least one pass, got n={self.n}")
        if not (self.mean_p.shape == self.var_p.shape == self.votes.shape) or (
            self.mean_p.shape[1:] != self.mean_plogp.shape
        ):
            raise BadInputError(
                f"moments of unlike shapes: mean_p {self.mean_p.shape}, var_p {self.var_p.shape}, "
                f"votes {self.votes.shape}, mean_plogp {self.mean_plogp.shape}"
            )
        for name, values in self.extras.items():
            if name not in EXTRAS or values.shape[-2:] != self.mean_plogp.shape:
                raise BadInputError(f"{name} {values.shape} does not belong to these moments")

    @property
    def n_classes(self) -> int:
        """Number of classes C."""
        return int(self.mean_p.shape[0])

    @property
    def shape(self) -> tuple[int, int]:
        """``(height, width)``."""
        return (int(self.mean_p.shape[1]), int(self.mean_p.shape[2]))

    def cropped(self, y: int, x: int, height: int, width: int) -> Moments:
        """Return the statistics of a window of the pixels."""
        rows, columns = slice(y, y + height), slice(x, x + width)
        return Moments(
            self.n,
            self.mean_p[:, rows, columns],
            self.mean_plogp[rows, columns],
            self.var_p[:, rows, columns],
            self.votes[:, rows, columns],
            {name: values[..., rows, columns] for name, values in self.extras.items()},
        )


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """What the model ``model_id`` says of ``region``."""

    region: Region
    moments: Moments
    model_id: str

    @property
    def mean_probs(self) -> NDArray[np.float32]:
        """Class probabilities (C, H, W), averaged over the passes."""
        return self.moments.mean_p

    @property
    def classes(self) -> NDArray[np.uint8]:
        """Most probable class (H, W) of each pixel."""
        return self.moments.mean_p.argmax(axis=0).astype(np.uint8)


class MomentStream:
    """Takes predictions one by one and keeps their moments in double precision."""

    def __init__(self) -> None:
        self._n = 0
        self._mean: NDArray[np.float64] = np.empty(0)
        self._squares: NDArray[np.float64] = np.empty(0)
        self._plogp: NDArray[np.float64] = np.empty(0)
        self._votes: NDArray[np.uint16] = np.empty(0, np.uint16)

    def add(self, probs: NDArray[np.floating]) -> None:
        """Take one pass of class probabilities (C, H, W)."""
        p = np.asarray(probs, dtype=np.float64)
        if p.ndim != 3:
            raise BadInputError(f"probs must be (C, H, W), got {p.ndim} axes")
        if self._n == 0:
            self._mean, self._squares = np.zeros_like(p), np.zeros_like(p)
            self._plogp = np.zeros(p.shape[1:])
            self._votes = np.zeros(p.shape, np.uint16)
        self._n += 1
        before = p - self._mean
        self._mean += before / self._n
        self._squares += before * (p - self._mean)
        self._plogp += (xlogy(p, p).sum(axis=0) - self._plogp) / self._n
        winner = p.argmax(axis=0)
        np.put_along_axis(
            self._votes,
            winner[None],
            np.take_along_axis(self._votes, winner[None], axis=0) + np.uint16(1),
            axis=0,
        )

    def moments(self) -> Moments:
        """Return the moments of what was added so far."""
        if self._n == 0:
            raise BadInputError("no prediction was added yet")
        return Moments(
            n=self._n,
            mean_p=self._mean.astype(np.float32),
            mean_plogp=self._plogp.astype(np.float32),
            var_p=(self._squares / self._n).astype(np.float32),
            votes=self._votes.copy(),
        )
