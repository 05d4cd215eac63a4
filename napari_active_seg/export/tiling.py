"""Cut labelled images into pieces: whole images, the regions themselves, or tiles."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from napari_active_seg.errors import ConfigError, did_you_mean
from napari_active_seg.export.dataset import PieceLabels, Sample
from napari_active_seg.export.filenames import make_path_names
from napari_active_seg.images import ImageSource
from napari_active_seg.regions import Region

__all__ = ["CUTS", "ImageToExport", "iter_samples"]

#: Into what images can be cut.
CUTS = ("images", "regions", "tiles")


@dataclass(frozen=True, slots=True, eq=False)
class ImageToExport:
    """An image with its labels, before it is cut."""

    id: str
    shape: tuple[int, int]
    split: str
    labels: PieceLabels
    open_source: Callable[[], ImageSource]
    group: str | None = None
    spacing: tuple[float, float] | None = None


def iter_samples(
    images: Sequence[ImageToExport],
    *,
    cut: str,
    tile: int = 512,
    overlap: int = 0,
    fill: int | None = None,
) -> tuple[Sample, ...]:
    """Return the pieces of ``images``, each under a name of its own.

    Tiles lie ``tile - overlap`` pixels apart, the last ones of an image at its edge; those that
    hold no label are left out, unless ``fill`` stands for what is not labelled.
    """
    if cut not in CUTS:
        raise ConfigError(f"images cannot be cut into {cut!r}: {did_you_mean(cut, CUTS)}")
    if cut == "tiles" and not 0 <= overlap < tile:
        raise ConfigError(f"tiles of {tile} pixels cannot overlap by {overlap}; want less")
    names = make_path_names([image.id for image in images])
    return tuple(
        Sample(
            name=names[image.id] if cut == "images" else _part_name(names[image.id], region),
            region=region,
            split=image.split,
            labels=image.labels,
            open_source=image.open_source,
            group=image.group,
            spacing=image.spacing,
            fill=fill,
        )
        for image in images
        for region in _regions(image, cut, tile, overlap, everywhere=fill is not None)
    )


def _regions(
    image: ImageToExport, cut: str, tile: int, overlap: int, *, everywhere: bool
) -> Iterator[Region]:
    if cut == "images":
        yield Region.whole(image.id, image.shape)
    elif cut == "regions":
        yield from dict.fromkeys(image.labels.labelled)
    else:
        labelled = image.labels.labelled
        height, width = (min(tile, length) for length in image.shape)
        for y in _starts(image.shape[0], tile, overlap):
            for x in _starts(image.shape[1], tile, overlap):
                region = Region(image.id, y, x, height, width)
                if everywhere or any(region.overlaps(place) for place in labelled):
                    yield region


def _starts(length: int, tile: int, overlap: int) -> list[int]:
    last = max(0, length - tile)
    return sorted({*range(0, last, tile - overlap), last})


def _part_name(name: str, region: Region) -> str:
    return f"{name}_y{region.y}_x{region.x}_h{region.height}_w{region.width}"
