"""A network with other output classes than those it was trained for."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from napari_active_seg.learning.dropout_layers import DropoutLayer
from napari_active_seg.learning.networks.base import Features, Heads, Network

__all__ = ["ClassRemapping"]

#: The logit of a class that the network has never heard of: its probability is exactly 0, and
#: 0 times this is 0, where minus infinity would give NaN.
_NEVER = -1e4


class ClassRemapping(Network):
    """Adds the probabilities of outputs that are one class now, pass by pass.

    ``outputs[i]`` is the class that the inner network's output i belongs to. The sum is taken of
    probabilities (a logsumexp of logits), so that all moments are those of the merged classes.
    """

    def __init__(self, inner: Network, outputs: tuple[int, ...], n_classes: int) -> None:
        super().__init__()
        self.inner = inner
        self.pixelwise = inner.pixelwise
        self.feature_stride = inner.feature_stride
        self.stride = inner.stride
        self.has_contour = inner.has_contour
        self._members = [
            [i for i, belongs in enumerate(outputs) if belongs == k] for k in range(n_classes)
        ]

    def prefix(self, images: Tensor) -> Features:
        """Return what the inner network's prefix returns."""
        return self.inner.prefix(images)

    def middle(self, features: Features) -> Features:
        """Return what the inner network's middle returns."""
        return self.inner.middle(features)

    def suffix(self, features: Features, size: tuple[int, int]) -> Tensor:
        """Return logits (B, C, H, W) of the current classes."""
        return self._sum_groups(self.inner.suffix(features, size))

    def heads(self, features: Features, size: tuple[int, int]) -> Heads:
        """Return the inner network's outputs, its classes grouped; no auxiliary ones."""
        heads = self.inner.heads(features, size)
        return Heads(self._sum_groups(heads.logits), heads.contour)

    def stages(self, features: Features) -> Features:
        """Return what the inner network's stages returns."""
        return self.inner.stages(features)

    def embed(self, features: Features) -> Tensor:
        """Return what the inner network's embed returns."""
        return self.inner.embed(features)

    def sampled_dropout(self) -> Iterable[DropoutLayer]:
        """Return the inner network's dropout layers that draw."""
        return self.inner.sampled_dropout()

    def _sum_groups(self, logits: Tensor) -> Tensor:
        log_p = torch.log_softmax(logits.float(), dim=1)
        never = torch.full_like(log_p[:, :1], _NEVER)
        planes = [
            torch.logsumexp(log_p[:, members], dim=1, keepdim=True) if members else never
            for members in self._members
        ]
        return torch.cat(planes, dim=1)
