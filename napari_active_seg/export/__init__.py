"""Labelled data sets for other tools, one format a file, behind one protocol."""

from napari_active_seg.export.base import Exporter
from napari_active_seg.export.dataset import ExportSet, ImageRow, Piece, PieceLabels, RegionRow
from napari_active_seg.export.formats import EXPORTERS, exporter_named, exporter_titles
from napari_active_seg.export.model_export import write_model
from napari_active_seg.export.prediction_export import PredictionFolder
from napari_active_seg.export.staging import BuildingFolder, build_folder
from napari_active_seg.export.writer import WrittenSet, write_data_set

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
