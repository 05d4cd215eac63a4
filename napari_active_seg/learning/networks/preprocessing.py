"""What every encoder does to an image first, and every head to its logits last."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

__all__ = ["enlarged", "imagenet_scaled", "padded_to"]

_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def imagenet_scaled(images: Tensor) -> Tensor:
    """Return ``images`` (N, 3, H, W) in 0..1 with ImageNet's mean and spread taken out."""
    mean, std = (images.new_tensor(v).view(1, 3, 1, 1) for v in (_MEAN, _STD))
    return (images - mean) / std


def padded_to(images: Tensor, multiple: int) -> Tensor:
    """Return ``images`` grown at the bottom and right to multiples, borders repeated."""
    bottom, right = -images.shape[-2] % multiple, -images.shape[-1] % multiple
    if not bottom and not right:
        return images
    return F.pad(images, (0, right, 0, bottom), mode="replicate")


def enlarged(logits: Tensor, factor: int, size: tuple[int, int]) -> Tensor:
    """Return ``logits`` (N, C, h, w) ``factor`` times as large, cut to ``size``."""
    if factor != 1:  # few planes are faster one after the other than interleaved
        logits = logits.contiguous()
        logits = F.interpolate(logits, scale_factor=factor, mode="bilinear", align_corners=False)
    return logits[..., : size[0], : size[1]]
