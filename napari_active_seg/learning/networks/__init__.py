"""One file per architecture; each is cut where its randomness begins."""

# ruff: noqa: E402 - torch and torchvision are imported in a way of our own first
from napari_active_seg.learning.torch_loading import load_torch

load_torch()

from napari_active_seg.learning.networks.base import Features, Heads, Network
from napari_active_seg.learning.networks.dcan import DCAN
from napari_active_seg.learning.networks.deeplab import DeepLabV2, DeepLabV3Plus
from napari_active_seg.learning.networks.filter_bank import FilterBankMLP
from napari_active_seg.learning.networks.unet import SmallUNet

__all__ = [
    "DCAN",
    "DeepLabV2",
    "DeepLabV3Plus",
    "Features",
    "FilterBankMLP",
    "Heads",
    "Network",
    "SmallUNet",
]
