"""Where labels are: drawn pixel by pixel, or class by class."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.regions import UNLABELLED

__all__ = ["LabelledPlaces"]


class LabelledPlaces:
    """Draws labelled pixels of several targets.

    All pixels are alike, or, with ``even``, all classes are: first a class is drawn, then one of
    its pixels.
    """

    def __init__(self, targets: Sequence[NDArray[np.uint8]], *, even: bool = False) -> None:
        self._widths = [target.shape[1] for target in targets]
        groups: dict[int, list[tuple[int, NDArray[np.intp]]]] = {}
        for number, target in enumerate(targets):
            labels = [int(v) for v in np.unique(target) if v != UNLABELLED]
            for group, where in (
                [(label, target == label) for label in labels]
                if even
                else [(0, target != UNLABELLED)]
            ):
                groups.setdefault(group, []).append((number, np.flatnonzero(where)))
        self._groups = [groups[key] for key in sorted(groups)]
        self._ends = [np.cumsum([len(places) for _, places in parts]) for parts in self._groups]
        self.count = int(sum((target != UNLABELLED).sum() for target in targets))

    def draw(self, rng: np.random.Generator) -> tuple[int, int, int]:
        """Return the number of a target and a labelled place (y, x) in it."""
        group = int(rng.integers(len(self._groups))) if len(self._groups) > 1 else 0
        ends = self._ends[group]
        place = int(rng.integers(ends[-1]))
        part = int(np.searchsorted(ends, place, side="right"))
        number, places = self._groups[group][part]
        y, x = divmod(int(places[place - (ends[part - 1] if part else 0)]), self._widths[number])
        return number, y, x
