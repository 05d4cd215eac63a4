"""What disturbs pictures of skin: hairs that cross the lens, and light that falls off."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

__all__ = ["add_hairs", "add_uneven_light"]


def add_hairs(image: Tensor, rng: np.random.Generator, *, most: int = 12) -> Tensor:
    """Return ``image`` (3, H, W) in 0..1 with up to ``most`` hairs drawn over it.

    A hair is a curve of second order between two borders, one to three pixels wide, in a brown or
    black that is its own. It hides what is below, and is not a class: labels stay.
    """
    height, width = image.shape[-2:]
    result = image
    for _ in range(int(rng.integers(0, most + 1))):
        cover = torch.from_numpy(_hair(height, width, rng)).to(image)
        colour = torch.from_numpy(rng.uniform(0.02, 0.35) * np.array([1.0, 0.8, 0.6])).to(image)
        result = result * (1 - cover) + colour[:, None, None] * cover
    return result


def add_uneven_light(image: Tensor, rng: np.random.Generator, *, strength: float = 0.3) -> Tensor:
    """Return ``image`` (3, H, W) in 0..1 under light that varies smoothly, darker to the edges."""
    height, width = image.shape[-2:]
    field = torch.from_numpy(rng.uniform(-strength, strength, (1, 1, 3, 3))).to(image)
    light = F.interpolate(field, (height, width), mode="bicubic", align_corners=True)[0]
    y = torch.linspace(-1, 1, height, device=image.device)[:, None]
    x = torch.linspace(-1, 1, width, device=image.device)[None]
    edge = (y * y + x * x) / 2 * float(rng.uniform(0, strength))
    return (image * (1 + light - edge)).clamp(0, 1)


def _hair(height: int, width: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Return how much of every pixel (H, W) a random hair covers."""
    size = np.array([height, width], float)
    along, across = (0, 1) if rng.random() < 0.5 else (1, 0)
    start, bend, end = rng.random((3, 2)) * size
    start[along], end[along] = 0, size[along]
    bend = 0.7 * (start + end) / 2 + 0.3 * bend
    t = np.linspace(0, 1, int(2 * max(height, width)))[:, None]
    curve = (1 - t) ** 2 * start + 2 * t * (1 - t) * bend + t**2 * end
    cover = np.zeros((height, width), np.float32)
    thick = int(rng.integers(1, 4))
    for offset in range(thick):
        points = np.rint(curve).astype(int)
        points[:, across] += offset - thick // 2
        inside = ((points >= 0) & (points < size)).all(axis=1)
        cover[points[inside, 0], points[inside, 1]] = 1
    return cover
