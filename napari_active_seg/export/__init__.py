"""Labelled data sets for other tools, one format a file, behind one protocol."""

from napari_active_seg.export.base import Exporter, ExportImage, ExportSet, RegionRow
from napari_active_seg.export.formats import EXPORTERS, exporter_named
from napari_active_seg.export.masks import IndexMasks
from napari_active_seg.export.predictions import write_objects, write_prediction

__all__ = [
    "EXPORTERS",
    "ExportImage",
    "ExportSet",
    "Exporter",
    "IndexMasks",
    "RegionRow",
    "exporter_named",
    "write_objects",
    "write_prediction",
]
