"""Labels as OME-Zarr 0.5, chunk by chunk, with a pyramid: slides of any size."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from napari_active_seg.export.base import OnPiece, PieceFiles, iter_pieces, needs_package
from napari_active_seg.export.dataset import ExportSet, Sample
from napari_active_seg.export.palette import parse_colour
from napari_active_seg.export.staging import StagingDir
from napari_active_seg.regions import LabelSchema, Region

__all__ = ["OmeZarrLabels"]

Pixels = np.ndarray[Any, Any]

_CHUNK, _SHARD = 512, 4096
#: The pyramid ends where an image fits into a square of this side.
_SMALL = 1024


class OmeZarrLabels:
    """``NAME.ome.zarr`` with ``labels/classes`` and ``labels/objects``."""

    name = "ome-zarr"
    title = "OME-Zarr 0.5 labels (slides too)"
    keeps_unlabelled = True
    summary = (
        "`labels/SPLIT/NAME.ome.zarr` is an OME-Zarr 0.5 image with a pyramid; its "
        "`labels/classes` holds the classes below plus one, so that 0 means not labelled, which is "
        "how viewers of labels take it; colours and names stand in its `image-label`. "
        "`labels/objects` numbers objects where they are separated."
    )

    def write(
        self, data: ExportSet, folder: StagingDir, on_piece: OnPiece
    ) -> Mapping[str, PieceFiles]:
        """Write a group for each piece."""
        needs_package("zarr", for_format=self.title)
        found: dict[str, dict[str, str]] = {}
        for piece, still in iter_pieces(data, on_piece):

            def write(path: Path, piece: Sample = piece, still: Callable[[], None] = still) -> None:
                _write_group(path, piece, data, still)

            name = f"labels/{piece.split}/{piece.name}.ome.zarr"
            found[piece.name] = {"ome-zarr": folder.once(name, write)}
        return found


def _write_group(path: Path, piece: Sample, data: ExportSet, still: Callable[[], None]) -> None:
    has_objects = piece.has_instances
    names = ["classes", *(["objects"] if has_objects else [])]
    ome: dict[str, Any] = {"version": "0.5"}
    if data.with_pictures:
        ome |= _write_levels(
            path, piece, (3, *piece.shape), np.uint8, lambda w: piece.pixels(w).transpose(2, 0, 1),
            still, everywhere=True,
        )  # fmt: skip
    _write_attributes(path, {"ome": ome})
    _write_attributes(path / "labels", {"ome": {"version": "0.5", "labels": names}})
    label = {"version": "0.5"} | _write_levels(
        path / "labels" / "classes", piece, piece.shape, np.uint8,
        lambda w: (piece.target(w) + np.uint8(1)), still,
    )  # fmt: skip  # 255, not labelled, becomes 0
    label["image-label"] = _look(data.schema, data.with_pictures)
    _write_attributes(path / "labels" / "classes", {"ome": label})
    if has_objects:
        ids = {"version": "0.5"} | _write_levels(
            path / "labels" / "objects", piece, piece.shape, np.int32,
            lambda w: np.asarray(piece.objects(w), np.int32), still,
        )  # fmt: skip
        ids["image-label"] = {"colors": []} | _source(data.with_pictures)
        _write_attributes(path / "labels" / "objects", {"ome": ids})


def _look(schema: LabelSchema, with_pictures: bool) -> dict[str, Any]:
    """Return colours and names of the values, which are the classes plus one."""
    colours = [
        (value + 1, [*parse_colour(colour), 255]) for value, colour in enumerate(schema.colours)
    ]
    found: dict[str, Any] = {
        "colors": [{"label-value": value, "rgba": rgba} for value, rgba in colours],
        "properties": [
            {"label-value": value + 1, "name": name} for value, name in enumerate(schema.names)
        ],
    }
    return found | _source(with_pictures)


def _source(with_pictures: bool) -> dict[str, Any]:
    """Return the path of the image in the metadata of labels."""
    return {"source": {"image": "../../"}} if with_pictures else {}


def _write_levels(
    path: Path,
    piece: Sample,
    shape: tuple[int, ...],
    dtype: type[np.generic],
    read: Callable[[Region], Pixels],
    still: Callable[[], None],
    *,
    everywhere: bool = False,
) -> dict[str, Any]:
    """Write the full resolution and its halves; return the ``multiscales`` that name them."""
    channels = shape[:-2]
    sizes = _sizes(piece.shape)
    spacing = piece.spacing or (1.0, 1.0)
    datasets: list[dict[str, Any]] = []
    below: Any = None
    for level, size in enumerate(sizes):
        array = _new_array(path / str(level), (*channels, *size), dtype)
        for window in piece.windows(_SHARD) if everywhere else piece.labelled_windows(_SHARD):
            still()
            found = read(window) if level == 0 else _halve(below, window, level)
            y, x = window.y >> level, window.x >> level
            array[..., y : y + found.shape[-2], x : x + found.shape[-1]] = found
        below = array
        scale = [1.0] * len(channels) + [length * 2**level for length in spacing]
        transform = [{"type": "scale", "scale": scale}]
        datasets.append({"path": str(level), "coordinateTransformations": transform})
    unit = {} if piece.spacing is None else {"unit": "micrometer"}
    axes: list[dict[str, str]] = [{"name": "c", "type": "channel"}] if channels else []
    axes += [{"name": name, "type": "space"} | unit for name in "yx"]
    return {"multiscales": [{"name": piece.name, "axes": axes, "datasets": datasets}]}


def _sizes(shape: tuple[int, int]) -> list[tuple[int, int]]:
    """Return the size of each level, the full resolution first."""
    found = [shape]
    while max(found[-1]) > _SMALL:
        height, width = found[-1]
        found.append((-(-height // 2), -(-width // 2)))
    return found


def _halve(below: Any, window: Region, level: int) -> Pixels:
    """Return every second pixel of what a ``window`` of the full resolution is one level below."""
    step = 2 ** (level - 1)
    y, x, bottom, right = (
        -(-edge // step) for edge in (window.y, window.x, window.bottom, window.right)
    )
    part: Pixels = np.asarray(below[..., y:bottom, x:right])
    return part[..., ::2, ::2]


def _new_array(path: Path, shape: tuple[int, ...], dtype: type[np.generic]) -> Any:
    import zarr

    ones = [1] * (len(shape) - 2)
    return zarr.create_array(
        store=str(path),
        shape=shape,
        chunks=(*ones, _CHUNK, _CHUNK),
        shards=(*ones, _SHARD, _SHARD) if max(shape) > _SHARD else None,
        dtype=dtype,
        fill_value=0,
        dimension_names=["c", "y", "x"][-len(shape) :],
    )


def _write_attributes(path: Path, attributes: Mapping[str, Any]) -> None:
    path.mkdir(parents=True, exist_ok=True)
    facts = {"zarr_format": 3, "node_type": "group", "attributes": attributes}
    (path / "zarr.json").write_text(json.dumps(facts, indent=1, ensure_ascii=False), "utf-8")
