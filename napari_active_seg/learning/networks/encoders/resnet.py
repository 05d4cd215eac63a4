"""ResNet v1 after torchvision, dilated so that its last levels keep their resolution."""

from __future__ import annotations

from torch import Tensor, nn

from napari_active_seg.errors import ConfigError

__all__ = ["ResNet"]

_NAMES = ("resnet50", "resnet101")
_DILATED = {8: (False, True, True), 16: (False, False, True)}


class ResNet(nn.Module):
    """Encoder without dropout; parameters carry torchvision's names."""

    low_channels = 256
    channels = 2048

    def __init__(self, name: str, *, output_stride: int) -> None:
        super().__init__()
        if name not in _NAMES:
            raise ConfigError(f"no ResNet {name!r}: choose {' or '.join(_NAMES)}")
        from torchvision import models  # slow to load, and only this encoder wants it

        whole = getattr(models, name)(
            weights=None, replace_stride_with_dilation=list(_DILATED[output_stride])
        )
        self.conv1, self.bn1, self.relu, self.maxpool = (
            whole.conv1,
            whole.bn1,
            whole.relu,
            whole.maxpool,
        )
        self.layer1, self.layer2 = whole.layer1, whole.layer2
        self.layer3, self.layer4 = whole.layer3, whole.layer4
        self.output_stride = output_stride
        self.low_stride = 4

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return the level at stride 4 and the last, of scaled ``images`` (N, 3, H, W)."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(images))))
        low = self.layer1(x)
        return low, self.layer4(self.layer3(self.layer2(low)))
