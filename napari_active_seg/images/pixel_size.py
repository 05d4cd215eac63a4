"""Micrometres per pixel, where a file has a plausible value."""

from __future__ import annotations

import re

import tifffile

__all__ = ["check_plausible_spacing", "get_spacing_from_resolution", "get_tiff_spacing"]

#: A microscope gives 0.1 to some 10 micrometres per pixel, a dermatoscope up to 30; a printer's
#: 72, 96 or 300 dots per inch (353, 265 and 85 micrometres) are not the object's scale.
_FINEST_UM, _COARSEST_UM = 0.01, 50.0
_UM_PER = {"inch": 25_400.0, "cm": 10_000.0, "mm": 1_000.0, "m": 1_000_000.0, "um": 1.0}
_OME_UNITS = {"nm": 1e-3, "µm": 1.0, "μm": 1.0, "um": 1.0, "mm": 1e3, "cm": 1e4, "m": 1e6}


def check_plausible_spacing(y: float, x: float) -> tuple[float, float] | None:
    """Return the spacing (y, x) in micrometres, or None if no instrument has such a one."""
    inside = all(_FINEST_UM <= value <= _COARSEST_UM for value in (y, x))
    return (y, x) if inside else None


def get_spacing_from_resolution(
    per_unit_y: float, per_unit_x: float, unit: str
) -> tuple[float, float] | None:
    """Convert pixels per ``unit`` (inch, cm, mm, m, um) to a spacing in micrometres."""
    if per_unit_y <= 0 or per_unit_x <= 0 or unit not in _UM_PER:
        return None
    return check_plausible_spacing(_UM_PER[unit] / per_unit_y, _UM_PER[unit] / per_unit_x)


def get_tiff_spacing(
    file: tifffile.TiffFile, page: tifffile.TiffPage
) -> tuple[float, float] | None:
    """Return the spacing (y, x) of a TIFF's full resolution, None where it has none.

    Read in turn: Aperio's MPP, OME's physical size, ImageJ's unit, the resolution tags.
    """
    aperio = re.search(r"\bMPP\s*=\s*([0-9.]+)", page.description or "")
    if aperio:
        return check_plausible_spacing(float(aperio[1]), float(aperio[1]))
    if file.is_ome and file.ome_metadata:
        found = _of_ome(file.ome_metadata)
        if found:
            return found
    per_y, per_x = _resolution(page.tags, "YResolution"), _resolution(page.tags, "XResolution")
    if file.is_imagej and (file.imagej_metadata or {}).get("unit") in ("micron", "um", "\\u00B5m"):
        return get_spacing_from_resolution(per_y, per_x, "um")
    tag = page.tags.get("ResolutionUnit")
    unit = {2: "inch", 3: "cm"}.get(int(tag.value) if tag is not None else 2, "")
    return get_spacing_from_resolution(per_y, per_x, unit)


def _of_ome(xml: str) -> tuple[float, float] | None:
    sizes: list[float] = []
    for axis in "YX":
        size = re.search(rf'\bPhysicalSize{axis}="([0-9.eE+-]+)"', xml)
        if size is None:
            return None
        unit = re.search(rf'\bPhysicalSize{axis}Unit="([^"]+)"', xml)
        factor = _OME_UNITS.get(unit[1] if unit else "µm")
        if factor is None:
            return None
        sizes.append(float(size[1]) * factor)
    return check_plausible_spacing(sizes[0], sizes[1])


def _resolution(tags: tifffile.TiffTags, name: str) -> float:
    tag = tags.get(name)
    if tag is None:
        return 0.0
    numerator, denominator = tag.value
    return numerator / denominator if denominator else 0.0
