"""Encoders: images to levels of features, by architecture."""

from napari_active_seg.learning.networks.encoders.resnet import ResNet
from napari_active_seg.learning.networks.encoders.resnet_v2 import ResNetV2
from napari_active_seg.learning.networks.encoders.wide_resnet38 import WideResNet38

__all__ = ["ResNet", "ResNetV2", "WideResNet38"]
