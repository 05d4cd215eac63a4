"""Predictions of images as files: masks, maps, objects, and tables of measurements."""

from __future__ import annotations

import csv
import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from napari_active_seg.errors import BadInputError
from napari_active_seg.export.dataset import find_class_without_objects
from napari_active_seg.export.filenames import make_path_names
from napari_active_seg.export.palette import get_palette
from napari_active_seg.export.staging import StagingDir
from napari_active_seg.export.tables import write_csv
from napari_active_seg.metrics.morphometry import MeasuredObject, class_areas, measure_objects
from napari_active_seg.regions import LabelSchema
from napari_active_seg.uncertainty import Prediction

__all__ = ["PredictionFolder"]

_REQUEST_FILE = "prediction.json"
_PARTS = ".parts"


class PredictionFolder:
    """A folder of predictions that resumes where it was stopped.

    ``masks/NAME.png``, ``probabilities/NAME.tif`` (C, H, W) and ``uncertainty/NAME.tif`` as
    float32, ``objects/NAME.tif``; at the end ``images.csv`` and ``objects.csv``. Of slides these
    are maps with a pixel for each square of several, which their names give: ``NAME.every-8.tif``.
    ``request`` is what would make other predictions if it were different.
    """

    def __init__(
        self, out: Path, image_ids: Sequence[str], schema: LabelSchema, *, request: dict[str, Any]
    ) -> None:
        self.out = out
        self._schema = schema
        self._request = request | {"classes": list(schema.names)}
        self._names = make_path_names(image_ids)
        self._files = StagingDir(out)

    def begin(self) -> None:
        """Make the folder; BadInputError if it holds anything but an unfinished part of this."""
        note = self.out / _REQUEST_FILE
        text = json.dumps(self._request, indent=1, ensure_ascii=False) + "\n"
        try:
            if note.is_file() and note.read_text(encoding="utf-8") == text:
                return
            if self.out.exists() and (not self.out.is_dir() or any(self.out.iterdir())):
                raise BadInputError(
                    f"{self.out} holds other things, or what another model or setting predicted; "
                    "choose another folder"
                )
            self.out.mkdir(parents=True, exist_ok=True)
            note.write_text(text, encoding="utf-8", newline="\n")
        except OSError as error:
            raise BadInputError(f"{self.out} cannot be written to: {error.strerror}") from error

    def is_done(self, image_id: str) -> bool:
        """Return whether an image was predicted before."""
        return self._part(image_id).is_file()

    def keep(
        self,
        prediction: Prediction,
        uncertainty: NDArray[np.float32],
        *,
        objects: NDArray[np.int32] | None,
        spacing: tuple[float, float] | None,
    ) -> None:
        """Write the files of one image; its row comes last, and marks it as complete.

        Without ``objects`` they are the connected areas of each class but a background.
        """
        name = self._names[prediction.region.image_id]
        classes = prediction.classes
        if objects is None:
            objects = _connected(classes, self._schema)
        measured = measure_objects(
            objects,
            classes,
            prediction.mean_probs,
            uncertainty,
            step=prediction.step,
            spacing=spacing,
        )
        try:
            self._write_maps(name, prediction, uncertainty, objects)
            self._files.text(
                self._part(prediction.region.image_id).relative_to(self.out).as_posix(),
                json.dumps(
                    {
                        "image": self._image_row(prediction, uncertainty, measured, spacing),
                        "objects": [dataclasses.asdict(own) for own in measured],
                    }
                ),
            )
        except OSError as error:
            raise BadInputError(
                f"{self.out} could not be written: {error.strerror or error}. Run the same "
                "command again to resume"
            ) from error

    def finish(self, *, unread: Mapping[str, str]) -> tuple[int, int]:
        """Write the tables of all images that are there; return how many images and objects.

        ``unread`` are files that could not be read, with the reason: each has a row in images.csv
        with nothing but its name and its ``problem``.
        """
        images: list[dict[str, Any]] = []
        n_objects = 0
        head = ["image", *(field.name for field in dataclasses.fields(MeasuredObject))]
        with (self.out / "objects.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, [*head[:2], "class", *head[3:]])
            writer.writeheader()
            for image_id in self._names:
                if not self.is_done(image_id):
                    continue
                part = json.loads(self._part(image_id).read_text(encoding="utf-8"))
                images.append(part["image"])
                for own in part["objects"]:
                    named = {"image": image_id, "class": self._schema.names[own.pop("label")]}
                    writer.writerow(named | own)
                    n_objects += 1
        problems = [{"image": name, "problem": why} for name, why in unread.items()]
        rows_with_problems = [*({**row, "problem": None} for row in images), *problems]
        columns = list(dict.fromkeys(key for row in rows_with_problems for key in row))
        rows = [[row.get(key) for key in columns] for row in rows_with_problems]
        write_csv(self.out / "images.csv", columns, rows)
        return len(images), n_objects

    def _write_maps(
        self,
        name: str,
        prediction: Prediction,
        uncertainty: NDArray[np.float32],
        objects: NDArray[np.int32],
    ) -> None:
        classes = prediction.classes
        step = prediction.step
        if step > 1:  # nobody should take a map for a mask of the image's size
            name = f"{name}.every-{step}"
            mask = _tiff_writer(classes, "YX")
        else:
            mask = _png_writer(classes, self._schema)
        self._files.once(f"masks/{name}.{'tif' if step > 1 else 'png'}", mask)
        for kind, pixels, axes in (
            ("probabilities", prediction.mean_probs.astype(np.float32), "CYX"),
            ("uncertainty", uncertainty.astype(np.float32), "YX"),
            ("objects", objects, "YX"),
        ):
            self._files.once(f"{kind}/{name}.tif", _tiff_writer(pixels, axes))

    def _image_row(
        self,
        prediction: Prediction,
        uncertainty: NDArray[np.float32],
        measured: Sequence[MeasuredObject],
        spacing: tuple[float, float] | None,
    ) -> dict[str, Any]:
        areas = class_areas(prediction.classes, len(self._schema), step=prediction.step)
        row: dict[str, Any] = {
            "image": prediction.region.image_id,
            "height": prediction.region.height,
            "width": prediction.region.width,
            "pixels_per_map_pixel": prediction.step,
            "micrometres_per_pixel_y": None if spacing is None else spacing[0],
            "micrometres_per_pixel_x": None if spacing is None else spacing[1],
            "model": prediction.model_id,
            "mean_uncertainty": float(uncertainty.mean()),
            "objects": len(measured),
        }
        for value, (name, area) in enumerate(zip(self._schema.names, areas, strict=True)):
            if value != find_class_without_objects(self._schema):
                row[f"{name} objects"] = sum(own.label == value for own in measured)
            row[f"{name} px"] = area
            row[f"{name} share"] = area / max(sum(areas), 1)
            row[f"{name} mm2"] = None if spacing is None else area * spacing[0] * spacing[1] / 1e6
        return row

    def _part(self, image_id: str) -> Path:
        return self.out / _PARTS / PurePosixPath(f"{self._names[image_id]}.json")


def _connected(classes: NDArray[np.uint8], schema: LabelSchema) -> NDArray[np.int32]:
    """Return the connected areas of each class but a background, numbered through."""
    found = np.zeros(classes.shape, np.int32)
    for value in range(len(schema)):
        if value != find_class_without_objects(schema):
            ids, _ = ndimage.label(classes == value)
            found = np.where(ids > 0, ids + found.max(), found).astype(np.int32)
    return found


def _png_writer(classes: NDArray[np.uint8], schema: LabelSchema) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        picture = Image.fromarray(classes)
        picture.putpalette(get_palette(schema))
        picture.save(path, "PNG")

    return write


def _tiff_writer(pixels: NDArray[Any], axes: str) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        tifffile.imwrite(path, pixels, compression="zlib", metadata={"axes": axes})

    return write
