"""An image that regions may be taken from, and a place in it that could be one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.acquisition.window_sums import WindowAxis, window_sums
from napari_active_seg.errors import BadInputError
from napari_active_seg.regions import MaskedRegion, Region, make_mask

__all__ = ["Candidate", "PoolImage"]

#: A place needs this share of tissue to be worth a look.
LEAST_TISSUE = 0.25


@dataclass(frozen=True, slots=True, eq=False)
class PoolImage:
    """An image that regions may be taken from.

    ``taken`` are places that are labelled or queued. ``tissue`` (h, w) covers the whole image at
    any resolution: slides have a coarse one. ``bound`` is the highest that ``uncertainty`` can be,
    and ``group`` the patient or slide. ``read`` returns the pixels, for units that need them. Of a
    slide maps and pixels keep one pixel of each full square of ``step``.
    """

    image_id: str
    shape: tuple[int, int]
    taken: tuple[MaskedRegion, ...] = ()
    uncertainty: NDArray[np.float32] | None = None
    tissue: NDArray[np.bool_] | None = None
    mean_probs: NDArray[np.float32] | None = None  # (C, H, W)
    bound: float = 1.0
    group: str | None = None
    read: Callable[[], NDArray[np.uint8]] | None = None
    step: int = 1

    @property
    def map_shape(self) -> tuple[int, int]:
        """``(height, width)`` of its maps."""
        height, width = self.shape
        return (max(1, height // self.step), max(1, width // self.step))

    @property
    def patient(self) -> str:
        """The patient or slide, the image itself where none is known."""
        return self.group or self.image_id

    @property
    def classes(self) -> NDArray[np.uint8]:
        """The most probable class of each pixel of the map; 0 where nothing was predicted."""
        if self.mean_probs is None:
            return np.zeros(self.map_shape, np.uint8)
        return self.mean_probs.argmax(axis=0).astype(np.uint8)

    @property
    def taken_mask(self) -> NDArray[np.bool_]:
        """The pixels of the map that are labelled or queued."""
        return make_mask(self.map_shape, self._taken_on_map())

    def _taken_on_map(self) -> tuple[MaskedRegion, ...]:
        return tuple(place.coarser(self.step, self.map_shape) for place in self.taken)

    def unlabelled_uncertainty(self) -> NDArray[np.float32]:
        """Return the map with what is taken set to 0.

        BadInputError if there is none, or one of another shape.
        """
        if self.uncertainty is None:
            raise BadInputError(f"image {self.image_id!r} has no uncertainty map; predict first")
        if self.uncertainty.shape != self.map_shape:
            raise BadInputError(f"image {self.image_id!r}: map and image differ in shape")
        if not self.taken:
            return self.uncertainty
        values = self.uncertainty.copy()
        for place in self._taken_on_map():
            values[place.region.slices][place.mask] = 0.0
        return values

    def finite_uncertainty(self) -> NDArray[np.float32]:
        """Return the unlabelled uncertainty; BadInputError if it holds NaN or infinity."""
        values = self.unlabelled_uncertainty()
        if not np.isfinite(values).all():
            raise self.broken()
        return values

    def broken(self) -> BadInputError:
        """Return the error for a map that holds NaN or infinity."""
        return BadInputError(
            f"image {self.image_id!r}: the uncertainty map holds NaN or infinity; predict again"
        )

    def tissue_share(self, rows: WindowAxis, columns: WindowAxis) -> NDArray[np.float64]:
        """Return which share of each window is tissue, at the resolution of the tissue mask."""
        if self.tissue is None:
            return np.ones((len(rows.starts), len(columns.starts)))
        return self._share(self.tissue, rows, columns)

    def taken_share(self, rows: WindowAxis, columns: WindowAxis) -> NDArray[np.float64]:
        """Return which share of each window is taken; of a slide at the resolution of its map."""
        return self._share(self.taken_mask, rows, columns)

    def _share(
        self, mask: NDArray[np.bool_], rows: WindowAxis, columns: WindowAxis
    ) -> NDArray[np.float64]:
        coarse = mask.shape
        if coarse == self.shape:
            return window_sums(mask, rows, columns) / (rows.extent * columns.extent)
        table = np.zeros((coarse[0] + 1, coarse[1] + 1))
        np.cumsum(np.cumsum(mask, axis=0), axis=1, out=table[1:, 1:])
        tops, bottoms = _coarse_span(rows, self.shape[0], coarse[0])
        lefts, rights = _coarse_span(columns, self.shape[1], coarse[1])
        strips = table[bottoms] - table[tops]
        areas = (bottoms - tops)[:, None] * (rights - lefts)[None, :]
        shares: NDArray[np.float64] = (strips[:, rights] - strips[:, lefts]) / areas
        return shares

    def tissue_pixels(self, places: Sequence[MaskedRegion] | None = None) -> float:
        """Return about how many pixels of places are tissue; of the free rest of it for None."""
        if places is not None:
            return sum(self.share_of_tissue(place) * place.pixels for place in places)
        share = 1.0 if self.tissue is None else float(self.tissue.mean())
        return share * self.shape[0] * self.shape[1] - self.tissue_pixels(self.taken)

    def share_of_tissue(self, place: MaskedRegion) -> float:
        """Return which share of a place is tissue."""
        if self.tissue is None:
            return 1.0
        region, (height, width) = place.region, self.tissue.shape
        rows = (np.arange(region.y, region.bottom) * height) // self.shape[0]
        columns = (np.arange(region.x, region.right) * width) // self.shape[1]
        return float(self.tissue[np.ix_(rows, columns)][place.mask].mean())


def _coarse_span(
    windows: WindowAxis, full: int, coarse: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return first and end pixels, in a mask of ``coarse`` pixels, of windows among ``full``."""
    first = windows.starts * coarse // full
    end = -(-(windows.starts + windows.extent) * coarse // full)
    return first, np.maximum(end, first + 1)


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A region that could be proposed, with all that decides whether it is.

    ``value`` orders candidates: I^alpha / C^beta. ``tied`` is how many places of its image had the
    same value when it was taken. ``probs`` (C,) are mean probabilities over the place, and
    ``class_values`` (C,) the information that falls to each class by its probability.
    ``drawn_from`` counts the places that a draw took it from, with the ``chance`` that it had.
    ``stands_for`` is the share of the pool that looks more like it than like any other taken one.
    """

    place: MaskedRegion
    information: float
    value: float
    seconds: float = 0.0
    clicks: float = 0.0
    patient: str = ""
    tied: int = 1
    probs: Sequence[float] = ()
    class_values: Sequence[float] = ()
    drawn_from: int = 0
    chance: float | None = None
    stands_for: float = 0.0

    @property
    def region(self) -> Region:
        """The rectangle around it."""
        return self.place.region
