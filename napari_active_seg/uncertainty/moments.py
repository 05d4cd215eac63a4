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

#: Outputs that a network can have in addition to its samples, with their shapes.
EXTRAS: Mapping[str, str] = {
    "contour": "probability (H, W) that the pixel lies on the outline of an object",
    "discriminator": "how real the prediction looks (H, W), 0 to 1",
    "learned-loss": "the loss (H, W) that the network expects of itself, on any scale",
    "mirrored": "class probabilities (C, H, W) of the mirrored image, mirrored back",
    "random": "a seeded draw (H, W), 0 to 1",
}


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """Statistics of ``n`` MC samples; every uncertainty measure is a function of them.

    Parameters
    ----------
    n
        Number of samples.
    mean_p
        Mean class probabilities (C, H, W).
    mean_plogp
        Mean over samples of sum_c p log p (H, W), in nats: the negative expected entropy.
    var_p
        Population variance of the class probabilities (C, H, W).
    votes
        How many samples had each class as the most probable one (C, H, W).
    extras
        Further outputs that some measures need, by the names in ``EXTRAS``; each array ends in
        (H, W).

    Raises
    ------
    BadInputError
        If ``n`` is below 1 or the shapes do not fit each other.
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

    def crop(self, y: int, x: int, height: int, width: int) -> Moments:
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
    """The prediction of the model ``model_id`` for ``region``.

    Of a large slide one pixel is kept of each full square of ``step`` pixels, the one at its
    middle: a mean would mix the predictions of several.
    """

    region: Region
    moments: Moments
    model_id: str
    step: int = 1

    @property
    def mean_probs(self) -> NDArray[np.float32]:
        """Class probabilities (C, H, W), averaged over the passes."""
        return self.moments.mean_p

    @property
    def classes(self) -> NDArray[np.uint8]:
        """Most probable class (H, W) of each pixel."""
        return self.moments.mean_p.argmax(axis=0).astype(np.uint8)

    def crop_moments(self, region: Region) -> Moments:
        """Return the statistics of the kept pixels in a region of the image, one at least."""
        rows, columns = self._window(region)
        return self.moments.crop(
            rows.start, columns.start, rows.stop - rows.start, columns.stop - columns.start
        )

    def crop_classes(self, region: Region) -> NDArray[np.uint8]:
        """Return the most probable class of each pixel (h, w) of a region of the image."""
        if self.step == 1:
            inside = self.moments.mean_p[(slice(None), *self._window(region))]
        else:
            down, across = (
                np.minimum((np.arange(start, end) - first) // self.step, length - 1)
                for start, end, first, length in (
                    (region.y, region.bottom, self.region.y, self.moments.shape[0]),
                    (region.x, region.right, self.region.x, self.moments.shape[1]),
                )
            )
            inside = self.moments.mean_p[:, down[:, None], across]
        return inside.argmax(axis=0).astype(np.uint8)

    def kept_at(self, y: int, x: int) -> tuple[int, int] | None:
        """Return the map's pixel (row, column) for a pixel of the image; None outside."""
        row, column = (y - self.region.y) // self.step, (x - self.region.x) // self.step
        height, width = self.moments.shape
        return (row, column) if 0 <= row < height and 0 <= column < width else None

    def _window(self, region: Region) -> tuple[slice, slice]:
        height, width = self.moments.shape
        top = min((region.y - self.region.y) // self.step, height - 1)
        left = min((region.x - self.region.x) // self.step, width - 1)
        bottom = min(-(-(region.bottom - self.region.y) // self.step), height)
        right = min(-(-(region.right - self.region.x) // self.step), width)
        return slice(top, max(bottom, top + 1)), slice(left, max(right, left + 1))


class MomentStream:
    """Accumulates the moments of samples one by one, in double precision.

    Examples
    --------
    >>> stream = MomentStream()
    >>> for foreground in (0.2, 0.6):
    ...     stream.add(np.array([[[1 - foreground]], [[foreground]]]))
    >>> moments = stream.moments()
    >>> moments.n, moments.mean_p.shape, moments.votes.ravel().tolist()
    (2, (2, 1, 1), [1, 1])
    """

    def __init__(self) -> None:
        self._n = 0
        self._mean: NDArray[np.float64] = np.empty(0)
        self._squares: NDArray[np.float64] = np.empty(0)
        self._plogp: NDArray[np.float64] = np.empty(0)
        self._votes: NDArray[np.uint16] = np.empty(0, np.uint16)

    def add(self, probs: NDArray[np.floating]) -> None:
        """Add one sample.

        Parameters
        ----------
        probs
            Class probabilities (C, H, W).

        Raises
        ------
        BadInputError
            If ``probs`` does not have three axes.
        """
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
        """Return the moments of the samples so far; BadInputError without one."""
        if self._n == 0:
            raise BadInputError("no prediction was added yet")
        return Moments(
            n=self._n,
            mean_p=self._mean.astype(np.float32),
            mean_plogp=self._plogp.astype(np.float32),
            var_p=(self._squares / self._n).astype(np.float32),
            votes=self._votes.copy(),
        )
