"""ResNet v2 (He et al. 2016b): normalisation and ReLU come before each convolution.

Parameters carry the names that timm gives them, so that its weights load.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from torch import Tensor, nn

from napari_active_seg.errors import ConfigError

__all__ = ["DEPTHS", "PLACEMENTS", "ResNetV2"]

#: Units of the four stages.
DEPTHS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}
PLACEMENTS = ("paper", "code")
_WIDTHS = (256, 512, 1024, 2048)


class ResNetV2(nn.Module):
    """Encoder at output stride 16; returns stages 2, 3 and 4 at strides 8, 16 and 16.

    ``placement`` sets where dropout sits on the trunk: ``paper`` before each residual unit,
    ``code`` after each unit of stages 3 and 4 (the third and fourth of four).
    """

    #: Channels and strides of what comes back.
    channels: tuple[int, ...] = _WIDTHS[1:]
    strides = (8, 16, 16)

    def __init__(self, depth: int, *, placement: str, dropout: float, width: float = 1.0) -> None:
        super().__init__()
        if depth not in DEPTHS:
            raise ConfigError(f"a ResNet v2 has 50, 101 or 152 layers, not {depth}")
        if placement not in PLACEMENTS:
            raise ConfigError(f"dropout sits as in the 'paper' or the 'code', not {placement!r}")
        widths = tuple(int(w * width) for w in _WIDTHS)
        self.channels = widths[1:]
        self.placement = placement
        before = int(64 * width)
        self.stem = nn.Sequential()
        self.stem.add_module("conv", nn.Conv2d(3, before, 7, stride=2, padding=3, bias=False))
        self.pool = nn.MaxPool2d(3, stride=2, padding=1)
        stages = []
        for number, (units, after) in enumerate(zip(DEPTHS[depth], widths, strict=True)):
            drops = placement == "paper" or number >= 2
            stages.append(
                _Stage(
                    units,
                    before,
                    after,
                    stride=2 if number in (1, 2) else 1,
                    dilation=2 if number == 3 else 1,
                    dropout=dropout if drops else None,
                    dropout_first=placement == "paper",
                )
            )
            before = after
        self.stages = nn.ModuleList(stages)
        self.norm = nn.BatchNorm2d(before)

    def deterministic(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return what lies before the first dropout, of scaled ``images`` (N, 3, H, W)."""
        x = self.pool(self.stem(images))
        if self.placement == "paper":
            return (x,)
        level = self.stages[1](self.stages[0](x))
        return (level,)

    def levels(self, features: tuple[Tensor, ...]) -> tuple[Tensor, Tensor, Tensor]:
        """Return stages 2, 3 and 4 of what ``deterministic`` returned."""
        x = features[0]
        if self.placement == "paper":
            x = self.stages[1](self.stages[0](x))
        third = self.stages[2](x)
        return x, third, self.norm(self.stages[3](third)).relu()


class _Stage(nn.Module):
    def __init__(
        self,
        units: int,
        before: int,
        after: int,
        *,
        stride: int,
        dilation: int,
        dropout: float | None,
        dropout_first: bool,
    ) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            _Unit(
                before if number == 0 else after,
                after,
                stride=stride if number == 0 else 1,
                dilation=dilation,
                projects=number == 0,
            )
            for number in range(units)
        )
        rates = [] if dropout is None else [dropout] * units
        self.dropout = nn.ModuleList(nn.Dropout(rate) for rate in rates)
        self._dropout_first = dropout_first

    def forward(self, x: Tensor) -> Tensor:
        drops: Iterator[Callable[[Tensor], Tensor]] = iter(self.dropout)
        for block in self.blocks:
            if self.dropout and self._dropout_first:
                x = next(drops)(x)
            x = block(x)
            if self.dropout and not self._dropout_first:
                x = next(drops)(x)
        return x


class _Unit(nn.Module):
    """A residual bottleneck of three convolutions."""

    def __init__(
        self, before: int, after: int, *, stride: int, dilation: int, projects: bool
    ) -> None:
        super().__init__()
        inner = after // 4
        self.norm1 = nn.BatchNorm2d(before)
        self.conv1 = nn.Conv2d(before, inner, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(inner)
        self.conv2 = nn.Conv2d(
            inner, inner, 3, stride=stride, padding=dilation, dilation=dilation, bias=False
        )
        self.norm3 = nn.BatchNorm2d(inner)
        self.conv3 = nn.Conv2d(inner, after, 1, bias=False)
        self.downsample: nn.Module | None = None
        if projects:
            self.downsample = nn.Sequential()
            self.downsample.add_module("conv", nn.Conv2d(before, after, 1, stride, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        ready = self.norm1(x).relu_()
        trunk = x if self.downsample is None else self.downsample(ready)
        inner = self.norm2(self.conv1(ready)).relu_()
        inner = self.norm3(self.conv2(inner)).relu_()
        branch: Tensor = self.conv3(inner)
        return branch.add_(trunk)
