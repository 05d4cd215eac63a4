"""Everything that needs torch: networks, sampling, losses, training and checkpoints."""

from napari_active_seg.learning.presets import PRESETS, Preset, preset_named
from napari_active_seg.learning.segmenter import TorchSegmenter, TorchSegmenterFactory

__all__ = ["PRESETS", "Preset", "TorchSegmenter", "TorchSegmenterFactory", "preset_named"]
