"""COCO instances: polygons where they equal the pixels, run lengths elsewhere."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.export.base import (
    OnPiece,
    PieceFiles,
    iter_pieces,
    needs_package,
    save_picture,
)
from napari_active_seg.export.dataset import (
    SPLIT_WORDS,
    ExportSet,
    Sample,
    find_class_without_objects,
)
from napari_active_seg.export.staging import StagingDir
from napari_active_seg.regions import UNLABELLED, LabelSchema
from napari_active_seg.regions.polygonize import PixelArea, find_areas

__all__ = ["Coco"]

#: The asterisk is QuPath's mark of what is to be ignored; our reader knows it too.
_UNKNOWN = "not labelled*"


class Coco:
    """``annotations/instances_SPLIT.json`` and the pictures."""

    name = "coco"
    title = "COCO (JSON, run lengths)"
    keeps_unlabelled = True
    summary = (
        "`annotations/instances_SPLIT.json` in COCO's form. Each object is an annotation, or each "
        "connected area where objects are not separated; a first class called background, skin or "
        f"other is what remains. What is not labelled is a category of its own, `{_UNKNOWN}`, "
        "marked `iscrowd`. Polygons stand where they mean exactly the same pixels, run lengths "
        "elsewhere. `file_name` is below this folder; where the export leaves pictures "
        "out, put them there under these names."
    )

    def write(
        self, data: ExportSet, folder: StagingDir, on_piece: OnPiece
    ) -> Mapping[str, PieceFiles]:
        """Write a file for each split, out of parts that are kept piece by piece."""
        needs_package("pycocotools", for_format=self.title)
        found: dict[str, dict[str, str]] = {}
        parts: dict[str, list[dict[str, Any]]] = {}
        for number, (piece, _) in enumerate(iter_pieces(data, on_piece)):
            part = f".parts/{number:07}.json"
            folder.text(part, json.dumps(list(_annotations(piece, data.schema))))
            picture = f"images/{piece.split}/{piece.name}.png"
            files = {"coco": f"annotations/instances_{SPLIT_WORDS[piece.split]}.json"}
            if not data.without_pictures:  # a file_name names a file that is there
                files["picture"] = save_picture(piece, folder, picture)
            files["name"] = picture
            found[piece.name] = files
            row = {
                "id": number + 1,
                "file_name": picture,
                "height": piece.shape[0],
                "width": piece.shape[1],
            }
            own = json.loads((folder.path / part).read_text(encoding="utf-8"))
            parts.setdefault(files["coco"], []).append({"image": row, "annotations": own})
        for name, rows in parts.items():
            (folder.path / name).parent.mkdir(exist_ok=True)
            folder.text(name, json.dumps(_assemble(data, rows), ensure_ascii=False))
        folder.drop(".parts")
        return found


def _annotations(piece: Sample, schema: LabelSchema) -> Iterator[dict[str, Any]]:
    target, objects = piece.target(), piece.objects()
    for value in (*range(len(schema)), UNLABELLED):
        mask = target == value
        if value == find_class_without_objects(schema) or not mask.any():
            continue
        numbered = None if value == UNLABELLED else objects
        for parts in _objects(mask, numbered, apart=value != UNLABELLED):
            yield _annotation(parts, value, piece.shape)


def _objects(
    mask: NDArray[np.bool_], objects: NDArray[np.int32] | None, *, apart: bool
) -> Iterator[list[PixelArea]]:
    """Yield the areas that make up each object: several where an object is in pieces."""
    if not apart:
        yield list(find_areas(mask))
        return
    if objects is None:
        yield from ([area] for area in find_areas(mask))
        return
    for number in np.unique(objects[mask]):
        own = mask & (objects == number)
        if number:
            yield list(find_areas(own))
        else:
            yield from ([area] for area in find_areas(own))


def _annotation(areas: list[PixelArea], value: int, shape: tuple[int, int]) -> dict[str, Any]:
    top, left = min(area.y for area in areas), min(area.x for area in areas)
    bottom = max(area.y + area.mask.shape[0] for area in areas)
    right = max(area.x + area.mask.shape[1] for area in areas)
    found: dict[str, Any] = {
        "category_id": value + 1,
        "iscrowd": int(value == UNLABELLED),
        "area": sum(area.pixels for area in areas),
        "bbox": [left, top, right - left, bottom - top],
    }
    return found | {"segmentation": _segmentation(areas, shape, crowd=value == UNLABELLED)}


def _segmentation(areas: list[PixelArea], shape: tuple[int, int], *, crowd: bool) -> Any:
    from pycocotools import mask as coco_mask

    whole = np.zeros(shape, np.uint8, order="F")
    for area in areas:
        height, width = area.mask.shape
        whole[area.y : area.y + height, area.x : area.x + width] |= area.mask
    lengths = coco_mask.encode(whole)
    if not crowd:
        rings = [area.rings() for area in areas]
        flat = [outer[0].ravel().astype(float).tolist() for outer in rings]
        if all(len(own) == 1 for own in rings) and _same(flat, lengths, shape):
            return flat
    return {"size": list(shape), "counts": lengths["counts"].decode("ascii")}


def _same(polygons: list[list[float]], lengths: Any, shape: tuple[int, int]) -> bool:
    """Return whether COCO's own way of filling polygons gives these pixels."""
    from pycocotools import mask as coco_mask

    drawn = coco_mask.merge(coco_mask.frPyObjects(polygons, *shape))
    return bool(drawn["counts"] == lengths["counts"])


def _assemble(data: ExportSet, rows: list[dict[str, Any]]) -> dict[str, Any]:
    rest = find_class_without_objects(data.schema)
    categories = [
        {"id": value + 1, "name": name, "supercategory": ""}
        for value, name in enumerate(data.schema.names)
        if value != rest
    ]
    annotations: list[dict[str, Any]] = []
    for row in rows:
        for own in row["annotations"]:
            number = {"id": len(annotations) + 1, "image_id": row["image"]["id"]}
            annotations.append(number | own)
    if any(own["iscrowd"] for own in annotations):
        categories.append({"id": UNLABELLED + 1, "name": _UNKNOWN, "supercategory": ""})
    return {
        "info": {"description": data.name},
        "licenses": [{"id": 1, "name": data.terms, "url": ""}] if data.terms else [],
        "images": [row["image"] for row in rows],
        "annotations": annotations,
        "categories": categories,
    }
