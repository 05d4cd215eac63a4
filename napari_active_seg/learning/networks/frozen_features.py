"""The fast network on frozen features: a filter bank together with any encoder of timm.

Encoder: a timm model (DINOv2, DINOv3 or any other) that is never trained; its maps at two levels,
or its patch tokens, are enlarged to half the image's resolution and are concatenated with the
filter bank. Head: the perceptron of ``fast.py`` with dropout after both hidden layers. Only the
perceptron's parameters are trained: some 60,000 with a small vision transformer.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from napari_active_seg.learning.networks.base import Features
from napari_active_seg.learning.networks.filter_bank import BANK_PLANES, FilterBankMLP
from napari_active_seg.learning.networks.preprocessing import (
    IMAGENET,
    Normalise,
    Statistics,
    pad_to_multiple,
)

__all__ = ["FrozenFeaturesMLP"]

#: The coarsest level of an encoder that is used, in pixels of the image.
_COARSEST = 16


class FrozenFeaturesMLP(FilterBankMLP):
    """Filter bank and frozen features under a small perceptron."""

    def __init__(
        self,
        n_classes: int,
        *,
        encoder: Any,
        channels: int,
        multiple: int,
        statistics: Statistics = IMAGENET,
    ) -> None:
        """Take a module that turns images (N, 3, H, W) into a list of maps (N, D, h, w)."""
        super().__init__(n_classes, n_features=BANK_PLANES + channels)
        self.encoder = encoder.requires_grad_(requires_grad=False)
        self.normalise = Normalise(statistics)
        self._multiple = multiple

    def train(self, mode: bool = True) -> FrozenFeaturesMLP:
        """Switch the perceptron alone: the encoder stays in evaluation."""
        super().train(mode)
        self.encoder.eval()
        return self

    def prefix(self, images: Tensor) -> Features:
        """Return filter bank and enlarged features (N, F, ceil(H / 2), ceil(W / 2))."""
        bank = super().prefix(images)[0]
        padded = pad_to_multiple(self.normalise(images), self._multiple)
        half = (padded.shape[-2] // 2, padded.shape[-1] // 2)
        with torch.no_grad():
            maps = [
                F.interpolate(level.float(), half, mode="bilinear", align_corners=False)
                for level in self.encoder(padded)
            ]
        height, width = bank.shape[-2:]
        return (torch.cat([bank, *(m[..., :height, :width] for m in maps)], dim=1),)

    @classmethod
    def of_timm(cls, name: str, n_classes: int, **options: Any) -> FrozenFeaturesMLP:
        """Return the network on timm's encoder ``name``; ``options`` go to ``create_model``."""
        import timm

        encoder: Any
        if _is_transformer(name):
            encoder = timm.create_model(
                name, features_only=True, dynamic_img_size=True, out_indices=[-1], **options
            )
        else:
            whole: Any = timm.create_model(name, features_only=True)
            kept = [i for i, r in enumerate(whole.feature_info.reduction()) if 4 <= r <= _COARSEST]
            encoder = timm.create_model(name, features_only=True, out_indices=kept[-2:], **options)
        info = encoder.feature_info
        return cls(
            n_classes,
            encoder=encoder,
            channels=sum(info.channels()),
            multiple=2 * max(info.reduction()),
            statistics=(
                tuple(encoder.pretrained_cfg["mean"]),
                tuple(encoder.pretrained_cfg["std"]),
            ),
        )


def _is_transformer(name: str) -> bool:
    return "vit" in name.split("_")[0] or "eva" in name.split("_")[0]
