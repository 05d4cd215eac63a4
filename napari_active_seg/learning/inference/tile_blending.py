"""Maps of a whole image put together from overlapping tiles."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import entr

from napari_active_seg.regions import Tile, blend_window
from napari_active_seg.uncertainty import Moments

__all__ = ["MapBlender", "blended_moments"]


class MapBlender:
    """Weighted sums of tiles, at one pixel for ``step`` of the image."""

    def __init__(self, shape: tuple[int, int], *, overlap: int, step: int = 1) -> None:
        self._shape = (-(-shape[0] // step), -(-shape[1] // step))
        self._overlap, self._step = overlap, step
        self._sums: dict[str, NDArray[np.float32]] = {}
        self._weights: dict[str, NDArray[np.float32]] = {}

    def add(self, name: str, values: NDArray[np.floating], tile: Tile) -> None:
        """Add a tile's ``values`` (..., h, w); what lies past the border falls away."""
        top, left = tile.y // self._step, tile.x // self._step
        height = min(values.shape[-2], self._shape[0] - top)
        width = min(values.shape[-1], self._shape[1] - left)
        window = blend_window(
            values.shape[-2], values.shape[-1], overlap=max(1, self._overlap // self._step)
        )[:height, :width]
        if name not in self._sums:
            self._sums[name] = np.zeros((*values.shape[:-2], *self._shape), np.float32)
            self._weights[name] = np.zeros(self._shape, np.float32)
        place = (slice(top, top + height), slice(left, left + width))
        self._sums[name][..., place[0], place[1]] += values[..., :height, :width] * window
        self._weights[name][place] += window

    def whole(self, name: str) -> NDArray[np.float32]:
        """Return the blended map (..., H, W)."""
        return self._sums[name] / self._weights[name]

    @property
    def names(self) -> tuple[str, ...]:
        """What was added."""
        return tuple(self._sums)


def add_moments(blender: MapBlender, moments: Moments, tile: Tile) -> None:
    """Add a tile's moments; its BALD stands for the mean entropy (see ``blended_moments``)."""
    blender.add("mean_p", moments.mean_p, tile)
    blender.add("var_p", moments.var_p, tile)
    blender.add("votes", moments.votes.astype(np.float32), tile)
    blender.add("bald", _entropy(moments.mean_p) + moments.mean_plogp, tile)
    for name, values in moments.extras.items():
        blender.add(f"extra {name}", values, tile)


def blended_moments(blender: MapBlender, n: int) -> Moments:
    """Return the moments of the whole image.

    Where two tiles overlap, the blend of their mean entropies and the entropy of their blended
    mean do not belong together: their difference would grow by what the *tiles* disagree on. So
    BALD is blended, and the mean entropy follows from it.
    """
    mean_p = blender.whole("mean_p")
    return Moments(
        n=n,
        mean_p=mean_p,
        mean_plogp=np.minimum(blender.whole("bald") - _entropy(mean_p), 0.0),
        var_p=blender.whole("var_p"),
        votes=_whole_votes(blender.whole("votes"), n),
        extras={
            name.removeprefix("extra "): blender.whole(name)
            for name in blender.names
            if name.startswith("extra ")
        },
    )


def _entropy(probs: NDArray[np.float32]) -> NDArray[np.float32]:
    total: NDArray[np.float32] = entr(probs).sum(axis=0, dtype=np.float32)
    return total


def _whole_votes(shares: NDArray[np.float32], n: int) -> NDArray[np.uint16]:
    """Round blended votes to whole ones that still sum to ``n``."""
    votes = np.floor(shares + 1e-3).astype(np.int64)
    missing = n - votes.sum(axis=0)
    order = np.argsort(-(shares - votes), axis=0, kind="stable")
    ranks = np.argsort(order, axis=0, kind="stable")
    return (votes + (ranks < missing)).astype(np.uint16)
