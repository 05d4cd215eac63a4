"""The Bayesian CNN of Gal, Islam and Ghahramani 2017, for images of a few dozen pixels.

Convolution 32 4x4, ReLU, convolution 32 4x4, ReLU, 2x2 maximum, dropout 0.25, dense 128, ReLU,
dropout 0.5, dense. Nothing before the first dropout draws, so it runs once an image however many
passes are asked.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["BayesianCnn"]


class BayesianCnn(nn.Module):
    """``features`` (deterministic) and ``head`` (with both dropouts)."""

    def __init__(self, shape: tuple[int, int, int], n_classes: int) -> None:
        super().__init__()
        height, width, channels = shape
        self.first = nn.Conv2d(channels, 32, 4)
        self.second = nn.Conv2d(32, 32, 4)
        n_features = 32 * ((height - 6) // 2) * ((width - 6) // 2)
        self.first_dropout = nn.Dropout(0.25)
        self.dense = nn.Linear(n_features, 128)
        self.second_dropout = nn.Dropout(0.5)
        self.last = nn.Linear(128, n_classes)

    def features(self, images: Tensor) -> Tensor:
        """Return what is before the first dropout, (N, F), of images (N, C, H, W) in 0..1."""
        x = F.relu(self.second(F.relu(self.first(images))))
        return F.max_pool2d(x, 2).flatten(1)

    def head(self, features: Tensor) -> Tensor:
        """Return logits (N, C) of features; in training each image has a dropout of its own."""
        x = F.relu(self.dense(self.first_dropout(features)))
        logits: Tensor = self.last(self.second_dropout(x))
        return logits

    def drawn_head(self, generator: torch.Generator) -> nn.Module:
        """Return the head of one draw of the weights, the same for every image.

        What a pass leaves out is taken out of the weights once, so that a pass over many images
        is two products of matrices.
        """
        kept = [
            (torch.rand(n, generator=generator) >= layer.p).float() / (1 - layer.p)
            for n, layer in (
                (self.dense.in_features, self.first_dropout),
                (self.last.in_features, self.second_dropout),
            )
        ]
        first, second = (mask.to(self.dense.weight.device) for mask in kept)
        drawn = nn.Sequential(_like(self.dense), nn.ReLU(), _like(self.last))
        drawn[0].weight.data = self.dense.weight.detach() * first
        drawn[0].bias.data = self.dense.bias.detach()
        drawn[2].weight.data = self.last.weight.detach() * second
        drawn[2].bias.data = self.last.bias.detach()
        return drawn

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (N, C) of images (N, C, H, W) in 0..1."""
        return self.head(self.features(images))

    def decayed(self) -> tuple[Tensor, ...]:
        """Return the weights that are kept small."""
        return (self.dense.weight,)


def _like(layer: nn.Linear) -> nn.Linear:
    """Return an empty layer of the same shape on the same device."""
    size = (layer.in_features, layer.out_features)
    empty: nn.Linear = nn.utils.skip_init(nn.Linear, *size, device=layer.weight.device)
    return empty
