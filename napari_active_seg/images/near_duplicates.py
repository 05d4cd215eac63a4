"""Near-duplicate images, found by a perceptual hash.

An image becomes 32 x 32 greys, their cosine transform, and one bit for each of its 63 lowest
frequencies but the mean: whether it lies above their median. Copies that were scaled, compressed
or brightened differ in few bits; mirrored and turned ones are looked for by turning the transform.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dctn
from skimage.transform import resize

__all__ = ["NearCopy", "PerceptualHash", "find_near_copies", "perceptual_hash"]

_GREYS, _LOW = 32, 8
#: Most of 63 bits that may differ between copies; benchmarks/leaks.py measures what that finds.
MOST_BITS = 6


@dataclass(frozen=True, slots=True)
class PerceptualHash:
    """What an image looks like: its 63 bits in each of its 8 flips and turns."""

    bits: tuple[int, ...]

    def distance(self, other: PerceptualHash) -> int:
        """Return in how many bits the nearest flip or turn of one differs from the other."""
        return min((self.bits[0] ^ bits).bit_count() for bits in other.bits)


@dataclass(frozen=True, slots=True)
class NearCopy:
    """Two images that look the same, up to ``bits`` of 63."""

    first: str
    second: str
    bits: int


def perceptual_hash(image: NDArray[np.uint8]) -> PerceptualHash:
    """Return the hash of an image (H, W, 3) or (H, W)."""
    grey = image.astype(np.float32)
    grey = grey @ np.array([0.299, 0.587, 0.114], np.float32) if grey.ndim == 3 else grey
    small = resize(grey, (_GREYS, _GREYS), anti_aliasing=True)
    low = dctn(small, norm="ortho")[:_LOW, :_LOW]
    return PerceptualHash(tuple(_bits(view) for view in _views(low)))


def find_near_copies(
    hashes: Mapping[str, PerceptualHash],
    one: Sequence[str],
    others: Sequence[str],
    *,
    most_bits: int = MOST_BITS,
) -> tuple[NearCopy, ...]:
    """Return pairs of ``one`` with ``others`` that look the same, the most alike first."""
    first = [name for name in one if name in hashes]
    second = [name for name in others if name in hashes]
    if not first or not second:
        return ()
    plain = np.array([hashes[name].bits[0] for name in first], np.uint64)
    turned = np.array([hashes[name].bits for name in second], np.uint64)  # (n, 8)
    found = []
    for name, bits in zip(first, plain, strict=True):
        differing = np.bitwise_count(turned ^ bits).min(axis=1)
        found += [
            NearCopy(name, second[k], int(differing[k]))
            for k in np.flatnonzero(differing <= most_bits).tolist()
            if second[k] != name
        ]
    return tuple(sorted(found, key=lambda pair: (pair.bits, pair.first, pair.second)))


def _views(low: NDArray[np.floating]) -> list[NDArray[np.floating]]:
    """Return the transforms of the image's flips and turns: odd frequencies change their sign."""
    odd = (-1.0) ** np.arange(_LOW)
    flips = [low, low * odd, low * odd[:, None], low * odd * odd[:, None]]
    return [*flips, *(flip.T for flip in flips)]


def _bits(low: NDArray[np.floating]) -> int:
    values = low.ravel()[1:]
    above = values > np.median(values)
    return int(sum(1 << k for k in np.flatnonzero(above).tolist()))
