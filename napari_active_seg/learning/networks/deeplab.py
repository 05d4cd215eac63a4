"""DeepLab v2 and v3+: atrous convolutions see far without losing resolution.

v3+ (Chen et al. 2018). Encoder: ResNet-50, ResNet-101 or Wide ResNet-38. ASPP: four rates of
atrous separable convolutions and the image's mean. Decoder: two separable convolutions over ASPP
and a finer level. Head: a 1 x 1 convolution. Three dropout layers of rate 0.1 sit in the decoder:
between depthwise and pointwise convolution of each pair, and before the head. Channel dropout
commutes with a depthwise convolution, so that is dropout of the pair's input; and everything up to
the first depthwise convolution runs once per image.
Parameters with two classes: 26.7 million (ResNet-50), 45.7 (ResNet-101), 110.9 (Wide ResNet-38).

v2 (Chen et al. 2018, TPAMI). Encoder: ResNet-101 at output stride 8. Head: four atrous 3 x 3
convolutions whose logits are added up. It had no dropout; one layer of rate 0.1 sits before the
head. Parameters with two classes: 42.6 million.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_active_seg.errors import ConfigError
from napari_active_seg.learning.networks.base import Features, Network
from napari_active_seg.learning.networks.encoders import ResNet, WideResNet38
from napari_active_seg.learning.networks.pointwise import Pointwise, PointwiseBlock
from napari_active_seg.learning.networks.preprocessing import Normalise, pad_to_multiple, upsample

__all__ = ["DeepLabV2", "DeepLabV3Plus"]

_ASPP, _LOW = 256, 48
_RATES = {8: (12, 24, 36), 16: (6, 12, 18)}


class DeepLabV3Plus(Network):
    """DeepLab v3+ with Monte-Carlo dropout in the decoder alone."""

    def __init__(
        self, n_classes: int, *, encoder: str = "resnet50", dropout: float = 0.1, width: float = 1.0
    ) -> None:
        super().__init__()
        self.normalise = Normalise()
        if encoder == "wideresnet38":
            self.encoder: ResNet | WideResNet38 = WideResNet38(width=width)
        elif encoder in ("resnet50", "resnet101"):
            self.encoder = ResNet(encoder, output_stride=16)
        else:
            raise ConfigError(
                f"deeplabv3plus knows resnet50, resnet101 and wideresnet38, not {encoder!r}"
            )
        self.stride = self.encoder.output_stride
        self.aspp = _ASPPModule(self.encoder.channels, _RATES[self.stride])
        self.low = PointwiseBlock(self.encoder.low_channels, _LOW)
        self.depthwise_1 = _depthwise(_ASPP + _LOW)
        self.pointwise_1 = PointwiseBlock(_ASPP + _LOW, _ASPP)
        self.depthwise_2 = _depthwise(_ASPP)
        self.pointwise_2 = PointwiseBlock(_ASPP, _ASPP)
        self.head = Pointwise(_ASPP, n_classes)
        self.dropout = nn.ModuleList(nn.Dropout(dropout) for _ in range(3))

    def prefix(self, images: Tensor) -> Features:
        """Return ASPP's output, and the decoder's input up to its first dropout."""
        low, last = self.encoder(pad_to_multiple(self.normalise(images), self.stride))
        context = self.aspp(last)
        near = F.interpolate(context, low.shape[-2:], mode="bilinear", align_corners=False)
        return context, self.depthwise_1(torch.cat([near, self.low(low)], dim=1))

    def suffix(self, features: Features, size: tuple[int, int]) -> Tensor:
        """Return logits (N, C, *size)."""
        count = features[1].shape[0]
        first, second, third = self.dropout
        x = self.pointwise_1(features[1], first(features[1].new_ones(count, _ASPP + _LOW)))
        ones = x.new_ones(count, _ASPP)
        x = self.pointwise_2(self.depthwise_2(x), second(ones))
        return upsample(self.head(x, third(ones)), self.encoder.low_stride, size)

    def embed(self, features: Features) -> Tensor:
        """Return ASPP's output (N, 256, h, w), whose mean the core-set strategies compare."""
        return features[0]


class _ASPPModule(nn.Module):
    """Atrous spatial pyramid pooling with separable convolutions."""

    def __init__(self, before: int, rates: tuple[int, ...]) -> None:
        super().__init__()
        self.near = PointwiseBlock(before, _ASPP)
        self.far = nn.ModuleList(
            nn.Sequential(_depthwise(before, rate), PointwiseBlock(before, _ASPP)) for rate in rates
        )
        self.everywhere = Pointwise(before, _ASPP)
        self.join = PointwiseBlock((2 + len(rates)) * _ASPP, _ASPP)

    def forward(self, x: Tensor) -> Tensor:
        mean = self.everywhere(x.mean(dim=(-2, -1), keepdim=True)).relu_()
        branches = [
            self.near(x),
            *(branch(x) for branch in self.far),
            mean.expand(-1, -1, *x.shape[-2:]),
        ]
        joined: Tensor = self.join(torch.cat(branches, dim=1))
        return joined


class DeepLabV2(Network):
    """DeepLab v2 with dropout before its head."""

    stride = 8

    def __init__(self, n_classes: int, *, encoder: str = "resnet101", dropout: float = 0.1) -> None:
        super().__init__()
        self.normalise = Normalise()
        self.encoder = ResNet(encoder, output_stride=8)
        self.dropout = nn.Dropout2d(dropout)
        self.head = nn.ModuleList(
            nn.Conv2d(self.encoder.channels, n_classes, 3, padding=rate, dilation=rate)
            for rate in (6, 12, 18, 24)
        )

    def prefix(self, images: Tensor) -> Features:
        """Return the encoder's last level."""
        return (self.encoder(pad_to_multiple(self.normalise(images), self.stride))[1],)

    def suffix(self, features: Features, size: tuple[int, int]) -> Tensor:
        """Return logits (N, C, *size)."""
        x = self.dropout(features[0])
        logits = self.head[0](x)
        for far in self.head[1:]:
            logits = logits + far(x)
        return upsample(logits, self.stride, size)


def _depthwise(channels: int, rate: int = 1) -> nn.Conv2d:
    return nn.Conv2d(
        channels, channels, 3, padding=rate, dilation=rate, groups=channels, bias=False
    )
