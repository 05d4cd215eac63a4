"""Everything that needs torch: networks, sampling, losses, training and checkpoints."""

# ruff: noqa: E402 - torch and torchvision are imported in a way of our own first
from napari_active_seg.learning.torch_loading import load_torch

load_torch()

from napari_active_seg.learning.devices import device_facts, resolve_device
from napari_active_seg.learning.factory import TorchSegmenterFactory
from napari_active_seg.learning.presets import PRESETS, Preset, get_preset
from napari_active_seg.learning.sam import load_sam
from napari_active_seg.learning.segmenter import TorchEnsemble, TorchSegmenter

__all__ = [
    "PRESETS",
    "Preset",
    "TorchEnsemble",
    "TorchSegmenter",
    "TorchSegmenterFactory",
    "device_facts",
    "get_preset",
    "load_sam",
    "resolve_device",
]
