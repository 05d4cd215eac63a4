"""Data sets in their official layouts, and how one comes by them."""

from napari_active_seg.errors import ConfigError, did_you_mean
from napari_active_seg.studies.datasets.a2d2 import A2D2, A2D2_POOLS
from napari_active_seg.studies.datasets.base import DataSet, Reader, Sample
from napari_active_seg.studies.datasets.bcss import BCSS
from napari_active_seg.studies.datasets.cache import PreparedData, prepare
from napari_active_seg.studies.datasets.driving import CAMVID, CITYSCAPES
from napari_active_seg.studies.datasets.folders import folder_of_labelled_images, read_folders
from napari_active_seg.studies.datasets.glas import GLAS
from napari_active_seg.studies.datasets.isic import ISIC_2016, ISIC_2017, ISIC_2018
from napari_active_seg.studies.datasets.nuclei import DSB2018, MONUSEG
from napari_active_seg.studies.datasets.resizing import Fit
from napari_active_seg.studies.datasets.voc import VOC

__all__ = [
    "READERS",
    "DataSet",
    "Fit",
    "PreparedData",
    "Reader",
    "Sample",
    "folder_of_labelled_images",
    "get_dataset_reader",
    "prepare",
    "read_folders",
]

READERS: dict[str, Reader] = {
    reader.name: reader
    for reader in (
        GLAS,
        ISIC_2016,
        ISIC_2017,
        ISIC_2018,
        BCSS,
        MONUSEG,
        DSB2018,
        VOC,
        CITYSCAPES,
        CAMVID,
        A2D2,
        *A2D2_POOLS,
    )
}


def get_dataset_reader(name: str) -> Reader:
    """Return the reader of a data set, or raise ConfigError with the known names."""
    if name not in READERS:
        raise ConfigError(f"no data set {name!r}: {did_you_mean(name, READERS)}")
    return READERS[name]
