"""Wide residual networks (Zagoruyko and Komodakis 2016), for images of a few dozen pixels.

A convolution of 16 channels, three groups of blocks of 16, 32 and 64 times the width, the second
and third at half the size of the one before; each block twice norm, ReLU, convolution.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from napari_active_seg.learning.classification.base import StagedClassifier

__all__ = ["WideResNet", "wrn_10_1", "wrn_28_2"]

_CHANNELS = (16, 32, 64)


class WideResNet(StagedClassifier):
    """The network; its stages are its groups."""

    def __init__(
        self, shape: tuple[int, int, int], n_classes: int, *, depth: int, width: int
    ) -> None:
        super().__init__()
        blocks = (depth - 4) // 6
        before = _CHANNELS[0]
        self.first = nn.Conv2d(shape[2], before, 3, padding=1, bias=False)
        groups = []
        for number, channels in enumerate(_CHANNELS):
            after = channels * width
            stride = 2 if number else 1
            parts = [_Block(before, after, stride)]
            parts += [_Block(after, after, 1) for _ in range(blocks - 1)]
            groups.append(nn.Sequential(*parts))
            before = after
        self.groups = nn.ModuleList(groups)
        self.norm = nn.BatchNorm2d(before)
        self.head = nn.Sequential(nn.Linear(before, n_classes))
        self.stage_widths = tuple(channels * width for channels in _CHANNELS)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")

    def stages(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return what each group makes of images (N, C, H, W) in 0..1, its mean over places."""
        x = self.first((images - 0.5) * 4)
        found = []
        for number, group in enumerate(self.groups):
            x = group(x)
            last = number == len(self.groups) - 1
            found.append((F.relu(self.norm(x)) if last else x).mean(dim=(-2, -1)))
        return tuple(found)


class _Block(nn.Module):
    """Twice norm, ReLU, convolution, with a shortcut from the input."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList([nn.BatchNorm2d(before), nn.BatchNorm2d(after)])
        self.first = nn.Conv2d(before, after, 3, stride=stride, padding=1, bias=False)
        self.second = nn.Conv2d(after, after, 3, padding=1, bias=False)
        alike = before == after and stride == 1
        self.line = None if alike else nn.Conv2d(before, after, 1, stride=stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return what the block makes of ``x``."""
        active = F.relu(self.norms[0](x))
        shortcut: Tensor = x if self.line is None else self.line(active)
        made: Tensor = self.second(F.relu(self.norms[1](self.first(active))))
        return shortcut + made


def wrn_28_2(shape: tuple[int, int, int], n_classes: int) -> WideResNet:
    """Return the network of the studies of CIFAR, 1.5 million parameters."""
    return WideResNet(shape, n_classes, depth=28, width=2)


def wrn_10_1(shape: tuple[int, int, int], n_classes: int) -> WideResNet:
    """Return the least of its kind, 0.08 million parameters, for two cores."""
    return WideResNet(shape, n_classes, depth=10, width=1)
