"""The Bayesian CNN of Gal, Islam and Ghahramani 2017, for images of a few dozen pixels.

Convolution 32 4x4, ReLU, convolution 32 4x4, ReLU, 2x2 maximum, dropout 0.25, dense 128, ReLU,
dropout 0.5, dense. Nothing before the first dropout draws, so it runs once an image for any
number of samples.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["BayesianCnn"]


class BayesianCnn(nn.Module):
    """``features`` (deterministic) and ``head`` (dense layers with both dropouts)."""

    def __init__(self, shape: tuple[int, int, int], n_classes: int) -> None:
        super().__init__()
        height, width, channels = shape
        self.first = nn.Conv2d(channels, 32, 4)
        self.second = nn.Conv2d(32, 32, 4)
        n_features = 32 * ((height - 6) // 2) * ((width - 6) // 2)
        self.dense = nn.Linear(n_features, 128)
        last = nn.Linear(128, n_classes)
        self.head = nn.Sequential(nn.Dropout(0.25), self.dense, nn.ReLU(), nn.Dropout(0.5), last)

    def features(self, images: Tensor) -> Tensor:
        """Return what is before the first dropout, (N, F), of images (N, C, H, W) in 0..1."""
        x = F.relu(self.second(F.relu(self.first(images))))
        return F.max_pool2d(x, 2).flatten(1)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (N, C) of images (N, C, H, W) in 0..1."""
        logits: Tensor = self.head(self.features(images))
        return logits

    def get_decayed_parameters(self) -> tuple[Tensor, ...]:
        """Return the weights that are kept small."""
        return (self.dense.weight,)
