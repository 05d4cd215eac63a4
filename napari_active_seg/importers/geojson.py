"""QuPath's GeoJSON: annotations as polygons with holes, in pixels of the full resolution."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from napari_active_seg.errors import AnnotationError
from napari_active_seg.importers.json_file import parse_points, read_json
from napari_active_seg.importers.name_matching import ClassNames
from napari_active_seg.importers.polygons import Outline

__all__ = ["GEOJSON_SUFFIXES", "find_geojson", "read_geojson"]

GEOJSON_SUFFIXES = (".geojson", ".json")


def find_geojson(path: Path, names: dict[str, str]) -> dict[str, Path]:
    """Return the GeoJSON file of each image: ``name.geojson`` or ``name.svs.geojson``.

    ``names`` maps the names that a file may have to image ids.
    """
    files = [path] if path.is_file() else sorted(path.rglob("*"))
    found: dict[str, Path] = {}
    for file in files:
        if not file.name.lower().endswith(GEOJSON_SUFFIXES):
            continue
        image_id = names.get(file.stem.casefold()) or names.get(Path(file.stem).stem.casefold())
        if image_id is not None:
            found[image_id] = file
    if not found and len(files) == 1 and len(set(names.values())) == 1:
        found[next(iter(names.values()))] = files[0]
    return found


def read_geojson(path: Path, names: ClassNames) -> tuple[Outline, ...]:
    """Return the outlines of a file; what has no class, and points and lines, are left out."""
    outlines: list[Outline] = []
    for number, feature in enumerate(_features(read_json(path), path), 1):
        where = f"{path.name}, object {number}"
        if not isinstance(feature, dict):
            raise AnnotationError(f"{where} is not a GeoJSON feature")
        name = _class_name(feature)
        if name is None:
            continue
        value = names.value(name, where=where)
        outlines += [
            Outline(value, tuple(parse_points(ring, where=where) for ring in rings))
            for rings in _polygons(feature.get("geometry"), where)
        ]
    return tuple(outlines)


def _features(raw: Any, path: Path) -> Iterable[Any]:
    if isinstance(raw, list):
        return raw
    if isinstance(raw, dict) and raw.get("type") == "Feature":
        return [raw]
    if isinstance(raw, dict) and isinstance(raw.get("features"), list):
        found: list[Any] = raw["features"]
        return found
    raise AnnotationError(f"{path.name} is not GeoJSON: want a FeatureCollection of annotations")


def _class_name(feature: dict[str, Any]) -> str | None:
    properties = feature.get("properties")
    found = properties.get("classification") if isinstance(properties, dict) else None
    if isinstance(found, str):
        return found
    if isinstance(found, dict):
        if isinstance(found.get("name"), str):
            return str(found["name"])
        names = found.get("names")
        if isinstance(names, list) and names:
            return ": ".join(str(name) for name in names)
    return None


def _polygons(geometry: Any, where: str) -> Iterator[list[Any]]:
    if not isinstance(geometry, dict):
        raise AnnotationError(f"{where} has no geometry")
    kind, coordinates = geometry.get("type"), geometry.get("coordinates")
    if kind not in ("Polygon", "MultiPolygon"):
        return
    if not isinstance(coordinates, list):
        raise AnnotationError(f"{where}: a {kind} needs a list of rings")
    polygons = [coordinates] if kind == "Polygon" else coordinates
    for rings in polygons:
        if not isinstance(rings, list) or not rings:
            raise AnnotationError(f"{where}: a polygon needs a ring")
        yield rings
