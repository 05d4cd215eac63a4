"""Former names of ``studies.results``, for the command line."""

from napari_active_seg.studies.results import read_device as device_of
from napari_active_seg.studies.results import read_notes as notes_of

__all__ = ["device_of", "notes_of"]
