"""Labelled data sets for other tools, one format a file, behind one protocol."""

from napari_active_seg.export.data_set import ExportSet, ImageRow, Piece, PieceLabels, RegionRow
from napari_active_seg.export.exporter import Exporter
from napari_active_seg.export.folder import BuildingFolder, build_folder
from napari_active_seg.export.formats import EXPORTERS, exporter_named, exporter_titles
from napari_active_seg.export.model import write_model
from napari_active_seg.export.predictions import PredictionFolder
from napari_active_seg.export.writing import WrittenSet, write_data_set

__all__ = [
    "EXPORTERS",
    "BuildingFolder",
    "ExportSet",
    "Exporter",
    "ImageRow",
    "Piece",
    "PieceLabels",
    "PredictionFolder",
    "RegionRow",
    "WrittenSet",
    "build_folder",
    "exporter_named",
    "exporter_titles",
    "write_data_set",
    "write_model",
]
