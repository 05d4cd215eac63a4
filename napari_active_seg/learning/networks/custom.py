"""A user's own network: any module that turns images (N, 3, H, W) into logits (N, C, h, w)."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from napari_active_seg.learning.networks.base import Features, Network
from napari_active_seg.learning.networks.dropout_split import cut_at_first_dropout
from napari_active_seg.learning.networks.preprocessing import pad_to_multiple

__all__ = ["CustomNetwork"]


class CustomNetwork(Network):
    """Pads the image, runs the module, brings its logits to the image's size.

    The module is cut at its first dropout layer where its forward can be traced; else it runs
    whole in every pass, which is as right and slower. One without dropout predicts by ensembles,
    test-time augmentation or single samples.
    """

    def __init__(self, module: nn.Module, *, multiple: int = 32) -> None:
        super().__init__()
        self.module = module
        self.stride = multiple
        self._cut = cut_at_first_dropout(module)

    @property
    def is_cut(self) -> bool:
        """Whether a part of the module runs once per image."""
        return self._cut is not None

    def prefix(self, images: Tensor) -> Features:
        """Return what comes before the first dropout, or the images."""
        padded = pad_to_multiple(images, self.stride)
        return (padded,) if self._cut is None else self._cut[0](padded)

    def suffix(self, features: Features, size: tuple[int, int]) -> Tensor:
        """Return logits (N, C, *size)."""
        run = self.module if self._cut is None else self._cut[1]
        logits: Tensor = run(*features)
        padded = [length + -length % self.stride for length in size]
        if list(logits.shape[-2:]) != padded:
            logits = F.interpolate(logits, padded, mode="bilinear", align_corners=False)
        return logits[..., : size[0], : size[1]]
