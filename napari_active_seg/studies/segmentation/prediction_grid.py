"""Predictions for some test images, round by round, in one picture of each arm."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.figures import outline_rgb
from napari_active_seg.images import read_array, read_rgb
from napari_active_seg.regions import UNLABELLED, Region
from napari_active_seg.studies.datasets.cache import PreparedData

__all__ = ["rows_of_predictions"]

_SIDE = 130
_GAP = 4
_COLOURS = np.array(
    [[255, 255, 255], [0, 114, 178], [230, 159, 0], [0, 158, 115], [204, 121, 167], [213, 94, 0],
     [86, 180, 233], [240, 228, 66]]
)  # fmt: skip


def rows_of_predictions(arm: Path, data: PreparedData) -> NDArray[np.uint8] | None:
    """Return a row for each image that was shown: it, its truth, and the prediction of each round.

    None where nothing was kept.
    """
    rounds = sorted((arm / "shown").glob("round-*"), key=lambda p: int(p.name.split("-")[1]))
    shapes = {image.id: image.shape for image in data.part("test")}
    shown = sorted({path.name for folder in rounds for path in (folder / "masks").glob("*.png")})
    rows = []
    for name in shown:
        if name not in shapes:
            continue
        picture = read_rgb(data.images_dir("test") / name)
        truth = data.truth("test").read_target(Region.whole(name, shapes[name]))
        tiles = [_small(picture), _small(_coloured(truth))]
        for folder in rounds:
            classes = read_array(folder / "masks" / name, indices=True).astype(np.uint8)
            tiles.append(_small(outline_rgb(_coloured(classes), truth, line=(0, 0, 0))))
        gap = np.full((tiles[0].shape[0], _GAP, 3), 255, np.uint8)
        row = [part for tile in tiles for part in (tile, gap)][:-1]
        rows.append(np.concatenate(row, axis=1))
    if not rows:
        return None
    widest = max(row.shape[1] for row in rows)
    padded = [
        np.pad(row, ((0, _GAP), (0, widest - row.shape[1]), (0, 0)), constant_values=255)
        for row in rows
    ]
    return np.concatenate(padded, axis=0)


def _coloured(classes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return classes as colours; what is not known is grey."""
    picture = _COLOURS[classes % len(_COLOURS)].astype(np.uint8)
    picture[classes == UNLABELLED] = 150
    return picture


def _small(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a picture at about one size, subsampled or with repeated pixels."""
    longest = max(picture.shape[:2])
    step = max(1, round(longest / _SIDE))
    grow = max(1, round(_SIDE / longest))
    small = picture[::step, ::step]
    return np.repeat(np.repeat(small, grow, 0), grow, 1)
