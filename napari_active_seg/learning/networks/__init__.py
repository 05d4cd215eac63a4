"""One file per architecture; each is cut where its randomness begins."""

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
