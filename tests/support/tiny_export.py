"""Labelled images in memory, as exporters are handed them."""

import dataclasses
from pathlib import Path

import numpy as np

from napari_active_seg.export import ExportSet, RegionRow, get_exporter, write_data_set
from napari_active_seg.export.tiling import ImageToExport, iter_samples
from napari_active_seg.images import ImageRef
from napari_active_seg.importers import AnnotationOptions, open_annotations
from napari_active_seg.regions import UNLABELLED, LabelSchema, Region

SCHEMA = LabelSchema.from_names(["background", "gland"])


class ArrayLabels:
    """Labels of one image that lie in memory."""

    def __init__(self, image_id, target, objects=None, regions=None):
        self._target, self._objects = target, objects
        self.labelled = tuple(regions or (Region.whole(image_id, target.shape),))

    def target(self, window):
        return self._target[window.slices]

    def objects(self, window):
        return None if self._objects is None else self._objects[window.slices]


class ArraySource:
    """An ImageSource of one array."""

    spacing, white = None, None

    def __init__(self, pixels):
        self._pixels = pixels
        self.shape = pixels.shape[:2]
        self.level_shapes = (self.shape,)

    def read(self, level, y, x, height, width):
        return self._pixels[y : y + height, x : x + width]


def labelled(image_id, target, *, objects=None, split="pool", regions=None, spacing=None, seed=0):
    """Return an image with labels; its pixels are noise."""
    pixels = np.random.default_rng(seed).integers(0, 255, (*target.shape, 3)).astype(np.uint8)
    return ImageToExport(
        image_id,
        target.shape,
        split,
        ArrayLabels(image_id, target, objects, regions),
        lambda: ArraySource(pixels),
        group="patient 1",
        spacing=spacing,
    )


def row(place, /, **more):
    """Return the provenance of one region."""
    blank = {f.name: {"str": "", "int": 0, "float": 0.0}.get(str(f.type)) for f in FIELDS}
    where = {k: getattr(place, k) for k in ("y", "x", "height", "width")}
    known = {"image": place.image_id, "state": "done", "kind": "chosen", "annotator": "Anna"}
    return RegionRow(**(blank | where | known | more))


FIELDS = dataclasses.fields(RegionRow)


def data_set(images, *, schema=SCHEMA, cut="images", pictures=True, rows=None, **how):
    """Return the data set of some images, with a row for each labelled region."""
    if rows is None:
        places = [region for image in images for region in image.labels.labelled]
        rows = tuple(row(place, region=f"r{k}") for k, place in enumerate(places))
    return ExportSet(
        "tiny set", schema, iter_samples(images, cut=cut, **how), rows, with_pictures=pictures
    )


def written(data, name, out, *, overwrite=False, on_piece=lambda *_now: None):
    """Write ``data`` in the format called ``name``."""
    return write_data_set(
        data, get_exporter(name), Path(out), stamp="s", overwrite=overwrite, on_piece=on_piece
    )


def read_back(out, images, *, schema=SCHEMA):
    """Return the exported folder as labels for a project with these images."""
    refs = tuple(ImageRef(i.id, i.id, i.shape, None, "") for i in images)
    return open_annotations(Path(out), refs, schema, AnnotationOptions())


def random_target(shape, seed, classes=2, unlabelled=True):
    """Return classes at random, in lumps, with holes and pixels that touch at corners."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, classes, shape).astype(np.uint8)
    if unlabelled:
        coarse[rng.random(shape) < 0.2] = UNLABELLED
    return coarse
