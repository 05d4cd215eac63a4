"""Drawn sample pictures with exact masks, the same on every machine for one seed."""

from napari_active_seg.images.samples.dermoscopy import draw_dermoscopy
from napari_active_seg.images.samples.files import SAMPLE_SETS, SampleSet, write_sample_set
from napari_active_seg.images.samples.histology import draw_histology
from napari_active_seg.images.samples.picture import SamplePicture

__all__ = [
    "SAMPLE_SETS",
    "SamplePicture",
    "SampleSet",
    "draw_dermoscopy",
    "draw_histology",
    "write_sample_set",
]
