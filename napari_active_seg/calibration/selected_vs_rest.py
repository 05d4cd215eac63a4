"""Uncertainty of selected pixels and of all others (figure 4 of the calibration paper)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.errors import BadInputError

__all__ = ["SelectedAndRest"]


@dataclass(frozen=True, slots=True, eq=False)
class SelectedAndRest:
    """Counts of pixels in equal bins of uncertainty, 0 to ``bound``: selected, and all others."""

    bound: float
    selected: NDArray[np.int64]  # (K,)
    rest: NDArray[np.int64]  # (K,)

    @staticmethod
    def empty(bound: float, n_bins: int = 40) -> SelectedAndRest:
        """Return empty bins."""
        if not 0 < bound < float("inf") or n_bins < 1:
            raise BadInputError(f"a bound above 0 and 1 bin at least, got {bound} and {n_bins}")
        zeros = np.zeros(n_bins, np.int64)
        return SelectedAndRest(bound, zeros, zeros.copy())

    def add(
        self, uncertainty: NDArray[np.floating], selected: NDArray[np.bool_]
    ) -> SelectedAndRest:
        """Return bins with the pixels of a map (H, W) added; ``selected`` (H, W) were chosen."""
        if uncertainty.shape != selected.shape:
            raise BadInputError(f"maps of unlike shapes: {uncertainty.shape}, {selected.shape}")
        k = len(self.rest)
        index = np.clip(uncertainty / self.bound * k, 0, k - 1).astype(np.intp)
        inside = np.bincount(index[selected], minlength=k)
        return SelectedAndRest(
            self.bound,
            self.selected + inside,
            self.rest + np.bincount(index.ravel(), minlength=k) - inside,
        )

    @property
    def edges(self) -> NDArray[np.float64]:
        """Bin edges, K + 1 values."""
        return np.linspace(0.0, self.bound, len(self.rest) + 1)

    @property
    def means(self) -> tuple[float, float]:
        """Mean uncertainty of what was selected and of the rest, by the middles of the bins."""
        middles = (self.edges[:-1] + self.edges[1:]) / 2
        return tuple(  # type: ignore[return-value]
            float((counts * middles).sum() / counts.sum()) if counts.sum() else float("nan")
            for counts in (self.selected, self.rest)
        )
