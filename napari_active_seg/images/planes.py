"""Files that hold more planes than are read: z-stacks, time series, channels, further pages."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path

import tifffile

from napari_active_seg.images.in_memory import BROKEN_FILE, TIFF_SUFFIXES
from napari_active_seg.images.ome_zarr import OmeZarrImage, is_ome_zarr
from napari_active_seg.images.slide import needs_windows
from napari_active_seg.images.tiff_level import get_series_pages

__all__ = ["count_planes", "describe_planes"]

#: Most file names in a message.
_NAMED = 5


def count_planes(path: Path) -> int:
    """Return how many planes a file holds of which the first alone is read; 1 where all are.

    Smaller pages, such as the levels of a pyramid or a thumbnail, are not planes.
    """
    if is_ome_zarr(path):
        return OmeZarrImage(path).planes
    if path.suffix.lower() not in TIFF_SUFFIXES:
        return 1
    try:
        with tifffile.TiffFile(path) as file:
            series = file.series[0]
            page = series.keyframe
            plane = page.imagelength * page.imagewidth * page.samplesperpixel
            total = math.prod(series.shape) // plane
            read = len(get_series_pages(series)) if needs_windows(path) else 1
    except (*BROKEN_FILE, ZeroDivisionError):
        return 1
    return total if total > read else 1


def describe_planes(planes: Mapping[str, int]) -> Iterable[str]:
    """Yield what a person should know of files by their number of planes."""
    several = [f"{name} ({count} planes)" for name, count in planes.items() if count > 1]
    if several:
        more = f" and {len(several) - _NAMED} more" if len(several) > _NAMED else ""
        files = "1 file holds" if len(several) == 1 else f"{len(several)} files hold"
        yield (
            f"{files} several planes (z-stack, time series, channels or pages), of which the "
            f"first alone is read: {', '.join(several[:_NAMED])}{more}; save each plane that you "
            "need as a file of its own"
        )
