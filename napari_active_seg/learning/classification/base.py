"""Base class of networks for whole images that return the features of every stage."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn

__all__ = ["StagedClassifier"]


class StagedClassifier(nn.Module, ABC):
    """``stages`` (pooled, deterministic), the last of them ``features``, and a ``head``."""

    head: nn.Sequential

    @abstractmethod
    def stages(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return what each group makes of images (N, C, H, W) in 0..1, its mean over places."""

    def features(self, images: Tensor) -> Tensor:
        """Return what is before the dense layer, (N, F), of images (N, C, H, W) in 0..1."""
        return self.stages(images)[-1]

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (N, C) of images (N, C, H, W) in 0..1."""
        logits: Tensor = self.head(self.features(images))
        return logits

    def get_decayed_parameters(self) -> tuple[Tensor, ...]:
        """Return the weights that are kept small."""
        return tuple(p for p in self.parameters() if p.ndim > 1)
