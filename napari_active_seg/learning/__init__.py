"""Everything that needs torch: networks, sampling, losses, training and checkpoints.

Importing the package and ``factory`` loads no torch; the other names are fetched when first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from napari_active_seg.learning.factory import TorchImageNetworks, TorchSegmenterFactory
from napari_active_seg.learning.torch_loading import load_torch

if TYPE_CHECKING:
    from napari_active_seg.learning.devices import device_facts, resolve_device
    from napari_active_seg.learning.presets import PRESETS, Preset, get_preset
    from napari_active_seg.learning.sam import load_sam
    from napari_active_seg.learning.segmenter import TorchEnsemble, TorchSegmenter

__all__ = [
    "PRESETS",
    "Preset",
    "TorchEnsemble",
    "TorchImageNetworks",
    "TorchSegmenter",
    "TorchSegmenterFactory",
    "device_facts",
    "get_preset",
    "load_sam",
    "resolve_device",
]

_HOMES = {
    "PRESETS": "presets",
    "Preset": "presets",
    "TorchEnsemble": "segmenter",
    "TorchSegmenter": "segmenter",
    "device_facts": "devices",
    "get_preset": "presets",
    "load_sam": "sam",
    "resolve_device": "devices",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    load_torch()
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return list(__all__)
