"""CutMix: a rectangle of each picture comes from another one, and so does what it should be."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

__all__ = ["apply_cutmix", "draw_mix_boxes"]


def draw_mix_boxes(
    count: int, size: tuple[int, int], rng: np.random.Generator, *, share: float = 0.5
) -> Tensor:
    """Return (N, H, W) bool: where each picture is replaced.

    With probability ``share`` a picture gets a rectangle of 2 % to 40 % of its area, sides at most
    1 to 3; the others stay whole.
    """
    height, width = size
    boxes = torch.zeros(count, height, width, dtype=torch.bool)
    for box in boxes:
        if rng.random() >= share:
            continue
        area = rng.uniform(0.02, 0.4) * height * width
        ratio = math.exp(rng.uniform(-math.log(3), math.log(3)))
        tall = min(height, max(1, round(math.sqrt(area * ratio))))
        wide = min(width, max(1, round(math.sqrt(area / ratio))))
        top, left = int(rng.integers(height - tall + 1)), int(rng.integers(width - wide + 1))
        box[top : top + tall, left : left + wide] = True
    return boxes


def apply_cutmix(rows: Tensor, boxes: Tensor) -> Tensor:
    """Return ``rows`` (N, ..., H, W) with the ``boxes`` (N, H, W) of each from the one before it.

    Pictures, targets and probabilities that are mixed by the same boxes still belong together.
    """
    where = boxes.to(rows.device)
    while where.dim() < rows.dim():
        where = where.unsqueeze(1)
    return torch.where(where, rows.roll(1, dims=0), rows)
