"""Labelled data sets for other tools, one format a file, behind one protocol."""

from napari_active_seg.export.base import Exporter
from napari_active_seg.export.dataset import ExportSet, ImageRow, PieceLabels, RegionRow, Sample
from napari_active_seg.export.formats import EXPORTERS, exporter_titles, get_exporter
from napari_active_seg.export.model_export import write_model
from napari_active_seg.export.prediction_export import PredictionFolder
from napari_active_seg.export.staging import StagingDir, build_folder
from napari_active_seg.export.writer import ExportResult, write_data_set

__all__ = [
    "EXPORTERS",
    "ExportResult",
    "ExportSet",
    "Exporter",
    "ImageRow",
    "PieceLabels",
    "PredictionFolder",
    "RegionRow",
    "Sample",
    "StagingDir",
    "build_folder",
    "exporter_titles",
    "get_exporter",
    "write_data_set",
    "write_model",
]
