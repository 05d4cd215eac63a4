"""Learned loss (Yoo and Kweon 2019): a module that predicts the loss of an image."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["ImageLossPredictor"]

_WIDTH = 128


class ImageLossPredictor(nn.Module):
    """Each pooled stage of a network squeezed to 128, joined by a line to one number an image."""

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        self.squeeze = nn.ModuleList(nn.Linear(width, _WIDTH) for width in widths)
        self.join = nn.Linear(_WIDTH * len(widths), 1)

    def forward(self, stages: Sequence[Tensor]) -> Tensor:
        """Return the expected loss (N,), at least 0; it ranks images and means nothing else."""
        squeezed = [F.relu(line(x)) for line, x in zip(self.squeeze, stages, strict=True)]
        expected: Tensor = F.softplus(self.join(torch.cat(squeezed, dim=1)))
        return expected[:, 0]
