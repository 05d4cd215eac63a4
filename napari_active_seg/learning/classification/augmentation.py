"""Augmentation of small pictures for image classification.

Loads torchvision, which is slow: import it where images are about to be drawn.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from torchvision.transforms import v2

__all__ = ["augment_strongly"]

#: Pixels of border that a crop may take in, and what side of a picture's is cut out.
_BORDER, _CUT = 1 / 8, 1 / 2
#: Number of pictures that share a draw of AutoAugment, which works on a stack as on a picture.
_ALIKE = 8


def augment_strongly(images: Tensor, rng: np.random.Generator) -> Tensor:
    """Return images (N, C, H, W) in 0..1 cropped, flipped, changed by AutoAugment and cut out.

    The policy is the one that Cubuk et al. 2019 found for CIFAR-10; a square of half the side is
    grey after DeVries and Taylor 2017. AutoAugment draws from torch's numbers, not from ``rng``.
    """
    return _cut_out(_by_policy(_crop_and_flip(images, rng)), rng)


def _crop_and_flip(images: Tensor, rng: np.random.Generator) -> Tensor:
    """Move each image by up to an eighth of its side and flip every second one."""
    count, _, height, width = images.shape
    border = max(1, round(min(height, width) * _BORDER))
    padded = F.pad(images, (border,) * 4, mode="reflect")
    corners = rng.integers(2 * border + 1, size=(count, 2))
    flips = rng.random(count) < 0.5
    made = []
    for image, (y, x), flip in zip(padded, corners, flips, strict=True):
        part = image[:, y : y + height, x : x + width]
        made.append(part.flip(-1) if flip else part)
    return torch.stack(made)


def _by_policy(images: Tensor) -> Tensor:
    policy = v2.AutoAugment(v2.AutoAugmentPolicy.CIFAR10)
    stack = (images * 255).round().to(torch.uint8)
    return torch.cat([policy(part) for part in stack.split(_ALIKE)]).float() / 255


def _cut_out(images: Tensor, rng: np.random.Generator) -> Tensor:
    """Grey a square of half the side about a random place of each image."""
    count, _, height, width = images.shape
    half = round(min(height, width) * _CUT) // 2
    made = images.clone()
    places = np.stack([rng.integers(height, size=count), rng.integers(width, size=count)], 1)
    for image, (y, x) in zip(made, places.tolist(), strict=True):
        image[:, max(0, y - half) : y + half, max(0, x - half) : x + half] = 0.5
    return made
