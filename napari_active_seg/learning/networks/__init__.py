"""One file per architecture; each is cut where its randomness begins."""

from napari_active_seg.learning.networks.base import Network
from napari_active_seg.learning.networks.fast import FilterBankMLP
from napari_active_seg.learning.networks.unet import SmallUNet

__all__ = ["FilterBankMLP", "Network", "SmallUNet"]
