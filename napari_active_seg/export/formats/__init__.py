"""Export formats by the name that the command line and the desktop use, one format a file."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points

from napari_active_seg.errors import ConfigError, did_you_mean
from napari_active_seg.export.base import Exporter
from napari_active_seg.export.formats.coco import Coco
from napari_active_seg.export.formats.dicom_seg import DicomSeg
from napari_active_seg.export.formats.geojson import QuPathGeoJson
from napari_active_seg.export.formats.glas import GlasFolder
from napari_active_seg.export.formats.imagefolder import ImageFolder
from napari_active_seg.export.formats.labelme import Labelme
from napari_active_seg.export.formats.masks import IndexMasks
from napari_active_seg.export.formats.monai import MonaiDatalist
from napari_active_seg.export.formats.nnunet import NnUNet
from napari_active_seg.export.formats.ome_zarr import OmeZarrLabels
from napari_active_seg.export.formats.tiff import OmeTiffLabels
from napari_active_seg.export.formats.yolo import YoloSegmentation

__all__ = ["EXPORTERS", "exporter_titles", "get_exporter"]

#: Under which entry points other packages register an Exporter.
_GROUP = "napari_active_seg.exporters"

EXPORTERS: dict[str, Exporter] = {
    exporter.name: exporter
    for exporter in (
        IndexMasks(),
        OmeTiffLabels(),
        OmeZarrLabels(),
        QuPathGeoJson(),
        Coco(),
        NnUNet(),
        MonaiDatalist(),
        ImageFolder(),
        YoloSegmentation(),
        Labelme(),
        DicomSeg(),
        GlasFolder(),
    )
}


def get_exporter(name: str) -> Exporter:
    """Return the exporter called ``name``, built in or registered.

    A registered exporter is an entry point of the group ``napari_active_seg.exporters`` that names
    a class without arguments, or an instance.

    Parameters
    ----------
    name
        A key of ``EXPORTERS``, or the name of an entry point.

    Raises
    ------
    ConfigError
        If no format has that name, or a registered one cannot be imported.

    Examples
    --------
    >>> get_exporter("coco").name
    'coco'
    """
    if name in EXPORTERS:
        return EXPORTERS[name]
    others = _registered()
    if name not in others:
        raise ConfigError(f"no export format {name!r}: {did_you_mean(name, [*EXPORTERS, *others])}")
    try:
        found = others[name].load()
    except Exception as error:
        raise ConfigError(f"the export format {name!r} cannot be imported: {error}") from error
    made: Exporter = found() if isinstance(found, type) else found
    return made


def exporter_titles() -> dict[str, str]:
    """Return the title of each format by its name; registered formats are not imported."""
    return {name: e.title for name, e in EXPORTERS.items()} | {name: name for name in _registered()}


def _registered() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=_GROUP)}
