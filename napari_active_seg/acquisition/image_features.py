"""Image features without a model: a short vector of colour and texture."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.errors import BadInputError

__all__ = ["describe_appearance", "standardise_features"]

#: Texture is the contrast that is left at these widths of averaging, in pixels.
_WIDTHS = (1, 2, 4, 8)


def describe_appearance(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Describe the colours and textures of a picture (H, W, 3) uint8 by one vector.

    Colours are taken as optical density, in which stains add up: mean and deviation of each
    channel, and how much of the darkness varies between neighbours at four widths.
    """
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.size == 0:
        raise BadInputError(f"a picture is (H, W, 3), got {pixels.shape}")
    density = -np.log((pixels.astype(np.float32) + 1.0) / 256.0)
    dark = density.mean(axis=2)
    texture = []
    for width in _WIDTHS:
        coarse = dark[::width, ::width] if width == 1 else _average_blocks(dark, width)
        down, right = np.diff(coarse, axis=0), np.diff(coarse, axis=1)
        steps = np.concatenate([down.ravel(), right.ravel(), np.zeros(1, np.float32)])
        texture.append(float(np.log1p(np.abs(steps).mean(dtype=np.float64) * 10)))
    flat = density.reshape(-1, 3)
    means = flat.mean(axis=0, dtype=np.float64)
    deviations = flat.std(axis=0, dtype=np.float64)
    return np.concatenate([means, deviations, texture])


def standardise_features(vectors: NDArray[np.floating]) -> NDArray[np.float64]:
    """Standardise features (N, D) to mean 0 and deviation 1, so that none dominates."""
    spread = vectors.std(axis=0, dtype=np.float64)
    mean = vectors.mean(axis=0, dtype=np.float64)
    scaled: NDArray[np.float64] = (vectors - mean) / np.where(spread > 1e-9, spread, 1.0)
    return scaled


def _average_blocks(values: NDArray[np.float32], width: int) -> NDArray[np.float32]:
    rows, columns = values.shape[0] // width, values.shape[1] // width
    if rows == 0 or columns == 0:
        return values[:1, :1]
    cut = values[: rows * width, : columns * width]
    found: NDArray[np.float32] = cut.reshape(rows, width, columns, width).mean(axis=(1, 3))
    return found
