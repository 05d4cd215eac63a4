"""VGG16 (Simonyan and Zisserman 2015) with its two dropouts, whole or small.

The whole one has torchvision's names, so that its published weights fit; the small one has a
quarter of the channels and batch norm, without which it does not learn from random weights.
"""

from __future__ import annotations

from torch import Tensor, nn

from napari_active_seg.learning.networks.preprocessing import Normalise

__all__ = ["Vgg16", "vgg16", "vgg16_small"]

_CHANNELS = (64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512, 0)


class Vgg16(nn.Module):
    """``features`` (deterministic) and ``head`` (dense layers with both dropouts)."""

    def __init__(
        self, n_classes: int, *, width: float = 1.0, norms: bool = False, side: int = 7
    ) -> None:
        super().__init__()
        self.normalise = Normalise()
        layers: list[nn.Module] = []
        before = 3
        for channels in _CHANNELS:
            if channels == 0:
                layers.append(nn.MaxPool2d(2, 2))
                continue
            after = int(channels * width)
            layers.append(nn.Conv2d(before, after, 3, padding=1, bias=not norms))
            layers += [nn.BatchNorm2d(after)] if norms else []
            layers.append(nn.ReLU())
            before = after
        self.body = nn.Sequential(*layers)
        self.pool = nn.AdaptiveAvgPool2d(side)
        hidden = int(4096 * width)
        self.head = nn.Sequential(
            nn.Linear(before * side * side, hidden),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Linear(hidden, n_classes),
        )
        for layer in self.body:
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")

    def features(self, images: Tensor) -> Tensor:
        """Return what is before the dense layers, (N, F), of images (N, 3, H, W) in 0..1."""
        found: Tensor = self.pool(self.body(self.normalise(images)))
        return found.flatten(1)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (N, C) of images (N, 3, H, W) in 0..1."""
        logits: Tensor = self.head(self.features(images))
        return logits

    def get_decayed_parameters(self) -> tuple[Tensor, ...]:
        """Return the weights that are kept small: all of them."""
        kinds = (nn.Conv2d, nn.Linear)
        return tuple(layer.weight for layer in self.modules() if isinstance(layer, kinds))


def vgg16(shape: tuple[int, int, int], n_classes: int) -> Vgg16:
    """Return the whole network."""
    del shape
    return Vgg16(n_classes)


def vgg16_small(shape: tuple[int, int, int], n_classes: int) -> Vgg16:
    """Return the one with a quarter of the channels and batch norm."""
    side = max(1, min(shape[0], shape[1]) // 32)
    return Vgg16(n_classes, width=0.25, norms=True, side=min(side, 2))
