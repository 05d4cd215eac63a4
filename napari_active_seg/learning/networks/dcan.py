"""DCAN on a ResNet v2: objects and their outlines, so that touching glands separate.

Encoder: ResNet-50, 101 or 152 v2 with dropout on its trunk (``encoders/resnet_v2.py``). Decoder:
stages 2, 3 and 4 each go through a transposed convolution of one and a half times their stride;
the object branch and the contour branch have weights of their own. Head: a 1 x 1 convolution a
level; the sum of the three is the prediction, each alone an auxiliary prediction that is trained
too (deep supervision). After Chen et al. 2016 and Yang et al. 2017 as the calibration paper
combines them; here each level is squeezed to 64 channels first, which takes three quarters of the
decoder's work away.

Parameters with two classes: 26.6 million (ResNet-50), 45.6 (101), 61.3 (152).
"""

from __future__ import annotations

from torch import Tensor, nn

from napari_active_seg.learning.networks.base import Features, Heads, Network
from napari_active_seg.learning.networks.encoders import ResNetV2
from napari_active_seg.learning.networks.preprocessing import HALF, Normalise, pad_to_multiple

__all__ = ["DCAN"]

_SQUEEZED, _RAISED = 64, 16
#: Rates of dropout: the paper names none for its own placement, its code has 0.5 for the other.
_RATES = {"paper": 0.1, "code": 0.5}


class DCAN(Network):
    """Object and contour logits from three fused levels; dropout in the encoder."""

    stride = 16
    has_contour = True

    def __init__(
        self,
        n_classes: int,
        *,
        depth: int = 50,
        placement: str = "paper",
        dropout: float | None = None,
        width: float = 1.0,
    ) -> None:
        super().__init__()
        self.normalise = Normalise(HALF)  # as timm trained the weights that are loaded
        rate = _RATES.get(placement, 0.0) if dropout is None else dropout
        self.encoder = ResNetV2(depth, placement=placement, dropout=rate, width=width)
        self.objects = _Branch(self.encoder, n_classes, width)
        self.contours = _Branch(self.encoder, 2, width)

    def prefix(self, images: Tensor) -> Features:
        """Return the encoder's features before its first dropout."""
        return self.encoder.deterministic(pad_to_multiple(self.normalise(images), self.stride))

    def suffix(self, features: Features, size: tuple[int, int]) -> Tensor:
        """Return the fused object logits (N, C, *size)."""
        return sum_of(self.objects(self.encoder.levels(features), size))

    def heads(self, features: Features, size: tuple[int, int]) -> Heads:
        """Return object and contour logits, and those of each level."""
        levels = self.encoder.levels(features)
        objects, contours = self.objects(levels, size), self.contours(levels, size)
        return Heads(sum_of(objects), sum_of(contours), objects, contours)

    def stages(self, features: Features) -> Features:
        """Return stages 2, 3 and 4 of the encoder."""
        return self.encoder.levels(features)

    def embed(self, features: Features) -> Tensor:
        """Return stage 4 of the encoder (N, 2048, h, w)."""
        return self.encoder.levels(features)[-1]


class _Branch(nn.Module):
    """The decoder and head of one task."""

    def __init__(self, encoder: ResNetV2, n_outputs: int, width: float) -> None:
        super().__init__()
        squeezed, raised = (max(4, int(planes * width)) for planes in (_SQUEEZED, _RAISED))
        self.levels = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(before, squeezed, 1, bias=False),
                nn.BatchNorm2d(squeezed),
                nn.ReLU(inplace=True),
                nn.ConvTranspose2d(
                    squeezed, raised, 3 * stride // 2, stride=stride, padding=stride // 4
                ),
                nn.ReLU(inplace=True),
                nn.Conv2d(raised, n_outputs, 1),
            )
            for before, stride in zip(encoder.channels, encoder.strides, strict=True)
        )

    def forward(self, levels: tuple[Tensor, ...], size: tuple[int, int]) -> tuple[Tensor, ...]:
        return tuple(
            raise_level(level)[..., : size[0], : size[1]]
            for raise_level, level in zip(self.levels, levels, strict=True)
        )


def sum_of(logits: tuple[Tensor, ...]) -> Tensor:
    """Return the sum of several logits of one shape."""
    total = logits[0]
    for other in logits[1:]:
        total = total + other
    return total
