"""Tissue masks: pixels that are not bare glass."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from skimage import filters

from napari_active_seg.images.downsample import read_coarse_view
from napari_active_seg.images.source import ImageSource

__all__ = ["find_tissue", "tissue_mask"]

#: Longer side of a mask, in pixels, that is fine enough to keep regions off the glass.
_LONGEST = 1024

#: Glass is bright and colourless. A picture in which hardly anything is has no glass at all:
#: Otsu's threshold would still split it, so it is not used.
_BRIGHT = 0.82
_LEAST_GLASS = 0.02
_LEAST_CONTRAST = 0.08


def tissue_mask(image: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Compute the tissue mask (H, W) of ``image`` (H, W, 3) uint8.

    Otsu's threshold on saturation parts glass from tissue among pictures that have both;
    dermoscopy and closely cropped tissue come back as tissue all over.
    """
    values = image.astype(np.float32) / 255.0
    brightest, darkest = values.max(axis=2), values.min(axis=2)
    saturation = np.where(brightest > 0, 1.0 - darkest / np.maximum(brightest, 1e-6), 0.0)
    everywhere = np.ones(image.shape[:2], bool)
    if float(np.ptp(saturation)) < _LEAST_CONTRAST:
        return everywhere
    threshold = float(filters.threshold_otsu(saturation))
    glass = (saturation < threshold) & (brightest > _BRIGHT) & (saturation < 0.12)
    return everywhere if glass.mean() < _LEAST_GLASS else ~glass


def find_tissue(source: ImageSource) -> NDArray[np.bool_]:
    """Compute the tissue mask of a picture or slide at a low resolution.

    The mask (h, w) covers the whole image; a pixel of it stands for H / h by W / w pixels.
    """
    return tissue_mask(read_coarse_view(source, longest=_LONGEST))
