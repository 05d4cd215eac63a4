"""A small U-Net: 0.9 million parameters, good on a CPU.

Encoder of five levels without dropout, decoder of four with channel dropout after each block,
head of one 1 x 1 convolution. It works at half the image's resolution: context beats resolution
when few pixels are labelled.

The first convolution of a decoder block has two parts, one for what comes from below and one for
what comes across; their outputs are added, which is the convolution of both stacked. So the
encoder, the deepest decoder block and all parts for what comes across run once per image.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_active_seg.learning.networks.base import Features, Network
from napari_active_seg.learning.networks.convolution import (
    NormedConv,
    fold_norm,
    get_norm,
    is_folded,
)
from napari_active_seg.learning.networks.pointwise import Pointwise
from napari_active_seg.learning.networks.preprocessing import pad_to_multiple, upsample

__all__ = ["SmallUNet"]

_WIDTHS = (16, 32, 64, 96, 128)


class SmallUNet(Network):
    """U-Net with dropout in the decoder; takes any image size."""

    stride = 2 ** len(_WIDTHS)

    def __init__(self, n_classes: int, *, dropout: float = 0.2, norm: str = "batch") -> None:
        super().__init__()
        self.stem = _block(3, _WIDTHS[0], norm)
        self.encoder = nn.ModuleList(_block(a, b, norm) for a, b in pairwise(_WIDTHS))
        upwards = list(pairwise(reversed(_WIDTHS)))
        self.decoder = nn.ModuleList(_UpBlock(a, b, norm) for a, b in upwards)
        self.dropout = nn.ModuleList(nn.Dropout(dropout) for _ in upwards)
        self.head = Pointwise(_WIDTHS[0], n_classes)

    def prefix(self, images: Tensor) -> Features:
        """Return the deepest decoder block's output, and what comes across to the others."""
        small = F.avg_pool2d(pad_to_multiple(images, self.stride), 2)
        x = self.stem(((small - 0.5) * 2).contiguous(memory_format=torch.channels_last))
        maps = [x]
        for block in self.encoder:
            x = block(F.max_pool2d(x, 2))
            maps.append(x)
        ups = [up for up in self.decoder if isinstance(up, _UpBlock)]
        levels = maps[-2::-1]
        everything = x.new_ones(x.shape[:2])
        deepest = ups[0](x, ups[0].cross(levels[0]), everything)
        return (deepest, *(up.cross(level) for up, level in zip(ups[1:], levels[1:], strict=True)))

    def suffix(self, features: Features, size: tuple[int, int]) -> Tensor:
        """Return logits (N, C, *size)."""
        x, count = features[0], features[0].shape[0]
        for up, drop, crossed in zip(self.decoder[1:], self.dropout, features[1:], strict=False):
            x = up(x, crossed, drop(x.new_ones(count, x.shape[1])))
        gain = self.dropout[-1](x.new_ones(count, x.shape[1]))
        return upsample(self.head(x, gain), 2, size)

    def embed(self, features: Features) -> Tensor:
        """Return the deepest decoder block's output (N, 96, h, w)."""
        return features[0]

    @staticmethod
    def upgrade_checkpoint(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return weights of an older checkpoint under the names that they have now."""
        if "decoder.0.0.weight" not in weights:
            return dict(weights)
        new = {_rename(key): value for key, value in weights.items()}
        for level, (deep, _) in enumerate(pairwise(reversed(_WIDTHS))):
            whole = new.pop(f"decoder.{level}.0.weight")
            new[f"decoder.{level}.below"] = whole[:, :deep].contiguous()
            new[f"decoder.{level}.across"] = whole[:, deep:].contiguous()
        new["head.weight"] = new["head.weight"].flatten(1)
        return new


def _rename(key: str) -> str:
    """Return today's name of a parameter: layers of a block were counted through once."""
    match = re.fullmatch(r"(stem|encoder\.\d|decoder\.\d)\.(\d)\.(\w+)", key)
    if match is None:
        return key
    block, layer, name = match[1], int(match[2]), match[3]
    part = "norm." if layer % 3 == 1 else ""
    if not block.startswith("decoder"):
        return f"{block}.{layer // 3}.{part}{name}"
    if layer == 0:
        return key  # in two parts now
    return f"{block}.{'' if layer < 3 else 'last.'}{part}{name}"


class _UpBlock(nn.Module):
    """Twice as large, joined with what comes across, and convolved twice."""

    def __init__(self, deep: int, across: int, norm: str) -> None:
        super().__init__()
        whole = nn.Conv2d(deep + across, across, 3, bias=False).weight.detach()
        self.below = nn.Parameter(whole[:, :deep].clone())
        self.across = nn.Parameter(whole[:, deep:].clone())
        self.norm = get_norm(norm, across)
        self.last = NormedConv(across, across, norm=norm)

    def cross(self, level: Tensor) -> Tensor:
        """Return the part of the first convolution that ``level`` gives."""
        if not is_folded(self.norm):
            return F.conv2d(level, self.across, padding=1)
        slope, offset = fold_norm(self.norm)
        return F.conv2d(level, self.across * slope.view(-1, 1, 1, 1), offset, padding=1)

    def forward(self, x: Tensor, crossed: Tensor, gain: Tensor) -> Tensor:
        """Return (N, across, 2H, 2W) of ``x`` (N, deep, H, W), its channels scaled by ``gain``.

        With one pass the gain goes into the weights, with several onto the planes.
        """
        weight: Tensor = self.below
        if len(gain) == 1:
            weight = weight * gain.view(1, -1, 1, 1)
        else:
            x = x * gain[:, :, None, None]
        if not is_folded(self.norm):
            joined = self.norm(_double_and_convolve(x, weight) + crossed)
        else:
            slope, _ = fold_norm(self.norm)
            joined = _double_and_convolve(x, weight * slope.view(-1, 1, 1, 1)).add_(crossed)
        whole: Tensor = self.last(joined.relu_())
        return whole


def _double_and_convolve(x: Tensor, weight: Tensor) -> Tensor:
    """Return the 3 x 3 convolution of ``x`` with every pixel doubled along both axes.

    The doubled planes never exist: doubling and convolving is one transposed convolution of
    stride 2 whose 4 x 4 kernel adds up neighbouring weights.
    """
    zero = torch.zeros_like(weight[..., :1])
    rows = torch.cat([weight, zero], -1) + torch.cat([zero, weight], -1)
    zero = torch.zeros_like(rows[..., :1, :])
    kernel = torch.cat([rows, zero], -2) + torch.cat([zero, rows], -2)
    return F.conv_transpose2d(x, kernel.transpose(0, 1).flip(-2, -1), stride=2, padding=1)


def _block(before: int, after: int, norm: str) -> nn.Sequential:
    return nn.Sequential(NormedConv(before, after, norm=norm), NormedConv(after, after, norm=norm))
