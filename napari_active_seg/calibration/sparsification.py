"""Does uncertainty find errors? Error rates over uncertainty, streamed into fine bins.

The sparsification curve is the error rate of what is left when the most uncertain share of pixels
is put aside. An uncertainty that finds errors makes it fall; the oracle puts errors aside first;
one that knows nothing leaves it flat. Within a bin pixels are taken in any order, so curves are
those of exact sorting up to the width of a bin (1 / 4,096 of the measure's bound).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.calibration.equal_mass import find_equal_mass_starts
from napari_active_seg.errors import BadInputError
from napari_active_seg.regions import UNLABELLED

__all__ = ["ErrorsByUncertainty"]


@dataclass(frozen=True, slots=True, eq=False)
class ErrorsByUncertainty:
    """Counts of labelled pixels and of wrong ones in equal bins of uncertainty, 0 to ``bound``."""

    bound: float
    counts: NDArray[np.int64]
    errors: NDArray[np.int64]

    @staticmethod
    def empty(bound: float, n_bins: int = 4096) -> ErrorsByUncertainty:
        """Return empty bins."""
        if not (0 < bound < float("inf")) or n_bins < 1:
            raise BadInputError(f"a bound above 0 and 1 bin at least, got {bound} and {n_bins}")
        zeros = np.zeros(n_bins, np.int64)
        return ErrorsByUncertainty(bound, zeros, zeros.copy())

    def add(
        self,
        uncertainty: NDArray[np.floating],
        predicted: NDArray[np.uint8],
        target: NDArray[np.uint8],
    ) -> ErrorsByUncertainty:
        """Return bins with the labelled pixels of (H, W) maps added."""
        if not uncertainty.shape == predicted.shape == target.shape:
            raise BadInputError(
                f"maps of unlike shapes: {uncertainty.shape}, {predicted.shape}, {target.shape}"
            )
        labelled = target != UNLABELLED
        values = uncertainty[labelled].astype(np.float64)
        if not np.isfinite(values).all():
            raise BadInputError("the uncertainty map holds NaN or infinity; predict again")
        k = len(self.counts)
        index = np.clip((values / self.bound * k).astype(np.int64), 0, k - 1)
        wrong = predicted[labelled] != target[labelled]
        return ErrorsByUncertainty(
            self.bound,
            self.counts + np.bincount(index, minlength=k),
            self.errors + np.bincount(index[wrong], minlength=k),
        )

    def __add__(self, other: ErrorsByUncertainty) -> ErrorsByUncertainty:
        if other.bound != self.bound:
            raise BadInputError(f"bins up to {self.bound} and up to {other.bound} do not add up")
        return ErrorsByUncertainty(
            self.bound, self.counts + other.counts, self.errors + other.errors
        )

    def condense(self, n_parts: int) -> ErrorsByUncertainty:
        """Merge neighbouring bins into at most ``n_parts`` bins of about equal mass.

        For keeping: its curve is the same up to a share of 1 / ``n_parts``, and nothing can be
        added to it.
        """
        starts = find_equal_mass_starts(self.counts, n_parts)
        return ErrorsByUncertainty(
            self.bound, np.add.reduceat(self.counts, starts), np.add.reduceat(self.errors, starts)
        )

    @property
    def n_pixels(self) -> int:
        """Number of labelled pixels seen."""
        return int(self.counts.sum())

    @property
    def error_rate(self) -> float:
        """Share of wrong pixels; NaN without pixels."""
        return float(self.errors.sum() / self.n_pixels) if self.n_pixels else float("nan")

    def rates_by_share(self, n_shares: int = 10) -> NDArray[np.float64]:
        """Return the error rate of each ``n_shares``-th of the pixels, the surest first."""
        if self.n_pixels == 0:
            return np.full(n_shares, np.nan)
        kept, wrong = self._kept()
        at = np.interp(np.linspace(0, 1, n_shares + 1), kept, wrong)
        return np.diff(at) * n_shares

    def share_found(self, share: float = 0.1) -> float:
        """Return the share of all errors that lie in the least certain ``share`` of the pixels.

        An uncertainty that knows nothing finds ``share`` of them; NaN where nothing is wrong.
        """
        if not self.errors.any():
            return float("nan")
        kept, wrong = self._kept()
        return float(1 - np.interp(1 - share, kept, wrong) / wrong[-1])

    def curve(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the sparsification curve: shares removed, and the error rate of the rest."""
        if self.n_pixels == 0:
            return np.empty(0), np.empty(0)
        kept, wrong = (values[1:][::-1] for values in self._kept())
        return 1 - kept, wrong / kept

    @property
    def area(self) -> float:
        """Area under the sparsification curve: 0 is best, the error rate that of a random order."""
        if self.n_pixels == 0:
            return float("nan")
        aside, rates = self.curve()
        ends = np.append(aside, 1.0)
        return float(np.trapezoid(np.append(rates, rates[-1]), ends))

    @property
    def area_of_oracle(self) -> float:
        """Area of the oracle, which removes errors first: e + (1 - e) log(1 - e)."""
        e = self.error_rate
        return 1.0 if e == 1 else e + (1 - e) * float(np.log1p(-e))

    def _kept(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return shares of pixels kept, the surest first, and the wrong ones among them of all."""
        full = self.counts > 0
        n = self.n_pixels
        kept = np.concatenate(([0.0], np.cumsum(self.counts[full]) / n))
        wrong = np.concatenate(([0.0], np.cumsum(self.errors[full]) / n))
        return kept, wrong
