"""What a model says of images, as files: an index mask and an uncertainty map for each."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image

from napari_active_seg.export.masks import palette_of
from napari_active_seg.regions import LabelSchema
from napari_active_seg.uncertainty import Prediction

__all__ = ["write_objects", "write_prediction"]


def write_prediction(
    prediction: Prediction, uncertainty: NDArray[np.float32], out: Path, schema: LabelSchema
) -> tuple[Path, Path]:
    """Write ``out``/masks/NAME.png and ``out``/uncertainty/NAME.tif (float32), and return both."""
    name = PurePosixPath(prediction.region.image_id)
    mask = out / "masks" / name.with_suffix(".png")
    heat = out / "uncertainty" / name.with_suffix(".tif")
    for path in (mask, heat):
        path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.fromarray(prediction.classes)
    picture.putpalette(palette_of(schema))
    picture.save(mask)
    tifffile.imwrite(heat, uncertainty, compression="zlib")
    return mask, heat


def write_objects(objects: NDArray[np.int32], image_id: str, out: Path) -> Path:
    """Write the ids of objects (H, W) to ``out``/objects/NAME.tif and return it."""
    path = out / "objects" / PurePosixPath(image_id).with_suffix(".tif")
    path.parent.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(path, objects, compression="zlib")
    return path
