"""Wide ResNet-38 (Wu, Shen and van den Hengel 2019), dilated to output stride 8.

A pre-activation residual network that is wide rather than deep: 105 million parameters without its
classifier. The dropout that the classifier had in its last two modules is left out: an encoder
without dropout runs once per image.
"""

from __future__ import annotations

from torch import Tensor, nn

__all__ = ["WideResNet38"]

#: For modules 2 to 7: units, channels inside and out, dilation; three numbers are a bottleneck.
_MODULES: tuple[tuple[int, tuple[int, ...], int], ...] = (
    (3, (128, 128), 1),
    (3, (256, 256), 1),
    (6, (512, 512), 1),
    (3, (512, 1024), 2),
    (1, (512, 1024, 2048), 4),
    (1, (1024, 2048, 4096), 4),
)


class WideResNet38(nn.Module):
    """Encoder without dropout: module 2 at stride 2 and module 7 at stride 8."""

    output_stride = 8
    low_stride = 2

    def __init__(self, *, width: float = 1.0) -> None:
        super().__init__()
        before = max(1, int(64 * width))
        self.low_channels = 0
        self.mod1 = nn.Sequential()
        self.mod1.add_module("conv1", nn.Conv2d(3, before, 3, padding=1, bias=False))
        self.pool = nn.MaxPool2d(3, stride=2, padding=1)
        for number, (units, channels, dilation) in enumerate(_MODULES, start=2):
            sizes = tuple(max(1, int(c * width)) for c in channels)
            module = nn.Sequential()
            for unit in range(units):
                stride = 2 if number == 4 and unit == 0 else 1
                block = _Unit(before, sizes, stride=stride, dilation=dilation)
                module.add_module(f"block{unit + 1}", block)
                before = sizes[-1]
            self.add_module(f"mod{number}", module)
            if number == 2:
                self.low_channels = before
        self.channels = before
        self.bn_out = nn.BatchNorm2d(before)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return modules 2 and 7 of scaled ``images`` (N, 3, H, W)."""
        second, third, *deeper = (self.get_submodule(f"mod{number}") for number in range(2, 8))
        low = second(self.pool(self.mod1(images)))
        x = third(self.pool(low))
        for module in deeper:
            x = module(x)
        return low, self.bn_out(x).relu_()


class _Unit(nn.Module):
    """A residual unit of two 3 x 3 convolutions, or a bottleneck of three."""

    def __init__(
        self, before: int, channels: tuple[int, ...], *, stride: int, dilation: int
    ) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(before)
        sizes = (before, *channels)
        kernels = (3, 3) if len(channels) == 2 else (1, 3, 1)
        layers: list[nn.Module] = []
        for number, kernel in enumerate(kernels):
            strided = stride if number == kernels.index(3) else 1
            around = dilation if kernel == 3 else 1
            if number:
                layers += [nn.BatchNorm2d(sizes[number]), nn.ReLU(inplace=True)]
            layers.append(
                nn.Conv2d(
                    sizes[number],
                    sizes[number + 1],
                    kernel,
                    stride=strided,
                    padding=around if kernel == 3 else 0,
                    dilation=around,
                    bias=False,
                )
            )
        self.convs = nn.Sequential(*layers)
        self.proj_conv: nn.Module | None = None
        if before != channels[-1] or stride != 1:
            self.proj_conv = nn.Conv2d(before, channels[-1], 1, stride=stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        ready = self.bn1(x).relu_()
        trunk = x if self.proj_conv is None else self.proj_conv(ready)
        branch: Tensor = self.convs(ready)
        return branch.add_(trunk)
