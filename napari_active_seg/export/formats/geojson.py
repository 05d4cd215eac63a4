"""QuPath's GeoJSON: a file per image, polygons with holes in pixels of the full resolution."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from napari_active_seg.export.base import OnPiece, PieceFiles, iter_pieces, save_picture
from napari_active_seg.export.dataset import ExportSet, Sample
from napari_active_seg.export.palette import parse_colour
from napari_active_seg.export.staging import StagingDir
from napari_active_seg.regions import LabelSchema
from napari_active_seg.regions.polygonize import PixelArea, find_areas

__all__ = ["QuPathGeoJson"]

#: Areas of larger images are cut along a grid of this side, so that memory stays bounded.
_SIDE = 4096


class QuPathGeoJson:
    """``geojson/SPLIT/NAME.geojson``, to be dragged onto the image in QuPath."""

    name = "geojson"
    title = "QuPath GeoJSON (slides too)"
    keeps_unlabelled = True
    summary = (
        "`geojson/SPLIT/NAME.geojson` in the form that QuPath 0.5 to 0.7 reads: drag it onto the "
        "image. Areas of each class, the first one too, are locked annotations with the class's "
        "colour and their area as a measurement; outlines follow the pixels' edges. What no "
        f"annotation holds is not labelled. On images wider than {_SIDE:,} pixels areas are cut "
        "along a grid of that side. Written after QuPath's published structure; QuPath itself was "
        "not run."
    )

    def write(
        self, data: ExportSet, folder: StagingDir, on_piece: OnPiece
    ) -> Mapping[str, PieceFiles]:
        """Write a FeatureCollection for each piece, window by window."""
        found: dict[str, dict[str, str]] = {}
        for piece, still in iter_pieces(data, on_piece):
            place = f"{piece.split}/{piece.name}"

            def write(path: Path, piece: Sample = piece, still: Callable[[], None] = still) -> None:
                with path.open("w", encoding="utf-8", newline="\n") as file:
                    file.write('{"type": "FeatureCollection", "features": [')
                    mark = "\n"
                    for feature in _features(piece, data.schema):
                        still()
                        file.write(mark + json.dumps(feature, ensure_ascii=False))
                        mark = ",\n"
                    file.write("\n]}\n")

            files = {"geojson": folder.once(f"geojson/{place}.geojson", write)}
            if data.with_pictures:
                files["picture"] = save_picture(piece, folder, f"images/{place}.png")
            found[piece.name] = files
        return found


def _features(piece: Sample, schema: LabelSchema) -> Iterator[dict[str, Any]]:
    for window in piece.labelled_windows(_SIDE):
        target, objects = piece.target(window), piece.objects(window)
        for value, (name, colour) in enumerate(zip(schema.names, schema.colours, strict=True)):
            for number, area in enumerate(find_areas(target == value, objects if value else None)):
                moved = PixelArea(area.y + window.y, area.x + window.x, area.mask)
                uid = uuid.uuid5(
                    uuid.NAMESPACE_OID, f"{piece.name} {window.y} {window.x} {value} {number}"
                )
                yield _feature(moved, str(uid), name, colour, piece.spacing)


def _feature(
    area: PixelArea, uid: str, name: str, colour: str, spacing: tuple[float, float] | None
) -> dict[str, Any]:
    measurements: dict[str, float] = {"Area px^2": float(area.pixels)}
    if spacing is not None:
        measurements["Area µm^2"] = area.pixels * spacing[0] * spacing[1]
    rings = [[*ring.tolist(), ring[0].tolist()] for ring in area.rings()]
    return {
        "type": "Feature",
        "id": uid,
        "geometry": {"type": "Polygon", "coordinates": rings},
        "properties": {
            "objectType": "annotation",
            "classification": {"name": name, "color": list(parse_colour(colour))},
            "isLocked": True,
            "measurements": measurements,
        },
    }
