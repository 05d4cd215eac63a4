"""Everything that needs torch: networks, sampling, losses, training and checkpoints."""

# ruff: noqa: E402 - both must come before torch and torchvision are imported
from napari_active_seg.learning.thread_waiting import wait_asleep

wait_asleep()

from napari_active_seg.learning.triton_guard import keep_triton_out

keep_triton_out()

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
