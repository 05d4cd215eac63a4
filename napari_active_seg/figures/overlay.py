"""Pictures with a map or an outline on top of them, as plain arrays."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib import colormaps
from numpy.typing import NDArray
from skimage.segmentation import find_boundaries

from napari_active_seg.regions import UNLABELLED, Region

__all__ = ["heatmap_rgb", "outline_rgb", "painted_rgb"]


def heatmap_rgb(
    image: NDArray[np.uint8], values: NDArray[np.float32], *, highest: float, opacity: float = 0.6
) -> NDArray[np.uint8]:
    """Return ``image`` (H, W, 3) under the map ``values`` (H, W), 0 to ``highest``."""
    scaled = np.clip(values / max(highest, 1e-12), 0, 1)
    colours = colormaps["magma"](scaled)[..., :3] * 255
    return np.round(image * (1 - opacity) + colours * opacity).astype(np.uint8)


def outline_rgb(
    image: NDArray[np.uint8],
    classes: NDArray[np.uint8],
    *,
    boxes: Sequence[Region] = (),
    line: tuple[int, int, int] = (255, 255, 0),
    box: tuple[int, int, int] = (0, 255, 255),
) -> NDArray[np.uint8]:
    """Return ``image`` with the borders between ``classes`` (H, W) and square ``boxes`` drawn."""
    out = image.copy()
    out[find_boundaries(classes, mode="inner")] = line
    for region in boxes:
        frame = np.zeros(classes.shape, bool)
        frame[region.slices] = True
        inside = region.y + 3, region.bottom - 3, region.x + 3, region.right - 3
        frame[inside[0] : inside[1], inside[2] : inside[3]] = False
        out[frame] = box
    return out


def painted_rgb(
    image: NDArray[np.uint8],
    target: NDArray[np.uint8],
    colours: Sequence[str],
    *,
    opacity: float = 0.45,
) -> NDArray[np.uint8]:
    """Return ``image`` under a ``target`` (H, W) in the ``#rrggbb`` colours of its classes.

    What is not labelled is left as it is.
    """
    palette = np.array([[int(c[i : i + 2], 16) for i in (1, 3, 5)] for c in colours], np.float32)
    out = image.astype(np.float32)
    labelled = target != UNLABELLED
    out[labelled] = out[labelled] * (1 - opacity) + palette[target[labelled]] * opacity
    return np.round(out).astype(np.uint8)
