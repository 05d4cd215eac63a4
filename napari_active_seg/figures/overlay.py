"""Pictures with a map or an outline laid over them, as plain arrays."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib import colormaps
from numpy.typing import NDArray
from skimage.segmentation import find_boundaries

from napari_active_seg.regions import Region

__all__ = ["heatmap_rgb", "outline_rgb"]


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
