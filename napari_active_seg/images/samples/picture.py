"""What every sample generator returns, and the noise that they share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

__all__ = ["SamplePicture", "blob_radius", "smooth_noise"]


@dataclass(frozen=True, slots=True, eq=False)
class SamplePicture:
    """A drawn image (H, W, 3) uint8 with its exact truth.

    ``instances`` (H, W) holds 0 for background and 1.. for each object; ``mask`` is 0 or 1.
    """

    image: NDArray[np.uint8]
    instances: NDArray[np.uint16]

    @property
    def mask(self) -> NDArray[np.uint8]:
        """1 where an object is, 0 elsewhere (H, W)."""
        return (self.instances > 0).astype(np.uint8)


def smooth_noise(
    rng: np.random.Generator, shape: tuple[int, int], sigma: float
) -> NDArray[np.float64]:
    """Return noise (H, W) of mean 0 and deviation 1 that is smooth over ``sigma`` pixels."""
    step = max(1, int(sigma // 3))
    small = tuple(-(-length // step) + 2 for length in shape)
    noise = ndimage.gaussian_filter(rng.standard_normal(small), sigma / step, mode="wrap")
    if step > 1:
        noise = ndimage.zoom(noise, step, order=1)
    noise = noise[: shape[0], : shape[1]]
    result: NDArray[np.float64] = (noise - noise.mean()) / noise.std()
    return result


def blob_radius(
    rng: np.random.Generator, angle: NDArray[np.float64], *, roughness: float
) -> NDArray[np.float64]:
    """Return relative radii around 1 of a random closed outline at each ``angle``."""
    around = np.linspace(-np.pi, np.pi, 721)
    radius = np.ones_like(around)
    for k in range(2, 9):
        size = roughness * rng.standard_normal() / k
        radius += size * np.cos(k * around + rng.uniform(0, 2 * np.pi))
    result: NDArray[np.float64] = np.interp(angle, around, np.clip(radius, 0.45, 1.8))
    return result
