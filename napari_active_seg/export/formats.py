"""Every export format by the name that the command line and the desktop use."""

from __future__ import annotations

from napari_active_seg.errors import ConfigError, did_you_mean
from napari_active_seg.export.base import Exporter
from napari_active_seg.export.masks import IndexMasks

__all__ = ["EXPORTERS", "exporter_named"]

EXPORTERS: dict[str, Exporter] = {exporter.name: exporter for exporter in (IndexMasks(),)}


def exporter_named(name: str) -> Exporter:
    """Return the exporter called ``name``, or raise ConfigError with the known names."""
    if name not in EXPORTERS:
        raise ConfigError(f"no export format {name!r}: {did_you_mean(name, EXPORTERS)}")
    return EXPORTERS[name]
