"""ResNet-18 (He et al. 2016) with torchvision's names, so that its published weights fit."""

from __future__ import annotations

from torch import Tensor, nn

from napari_active_seg.learning.classification.base import StagedClassifier
from napari_active_seg.learning.networks.preprocessing import Normalise

__all__ = ["ResNet18", "fine_tuned_resnet18"]


class ResNet18(StagedClassifier):
    """The network; its stages are its groups."""

    stage_widths = (64, 128, 256, 512)

    def __init__(self, n_classes: int) -> None:
        super().__init__()
        self.normalise = Normalise()
        from torchvision.models import resnet18  # slow to load, and only this network wants it

        self.body = resnet18(weights=None)
        self.body.fc = nn.Identity()
        self.head = nn.Sequential(nn.Linear(self.stage_widths[-1], n_classes))

    def stages(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return what each group makes of images (N, 1 or 3, H, W), its mean over places."""
        body = self.body
        x = self.normalise(images.expand(-1, 3, -1, -1))
        x = body.maxpool(body.relu(body.bn1(body.conv1(x))))
        found = []
        for group in (body.layer1, body.layer2, body.layer3, body.layer4):
            x = group(x)
            found.append(x.mean(dim=(-2, -1)))
        return tuple(found)


def fine_tuned_resnet18(shape: tuple[int, int, int], n_classes: int) -> ResNet18:
    """Return the network, its weights yet to be filled."""
    del shape
    return ResNet18(n_classes)
