"""A data set as a study uses it: pictures and truth of one size, written once into one folder."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from napari_active_seg._util.atomic_write import atomic_write
from napari_active_seg.errors import BadInputError, ImageError
from napari_active_seg.images import ImageRef, open_image, read_array
from napari_active_seg.regions import UNLABELLED, Region
from napari_active_seg.session.labels.whole_images import LabelledImage
from napari_active_seg.studies.datasets.base import DataSet, Sample
from napari_active_seg.studies.datasets.resizing import Fit

__all__ = ["PreparedData", "PreparedImage", "PreparedTruth", "prepare", "write_table"]

_FACTS = "data.json"


@dataclass(frozen=True, slots=True)
class PreparedImage:
    """An image of the folder: ``id`` is its file below ``images``."""

    id: str
    part: str
    shape: tuple[int, int]
    known: int  #: pixels whose truth is known
    group: str = ""
    kind: str = ""
    frame: int | None = None
    has_objects: bool = False


@dataclass(frozen=True, slots=True)
class PreparedData:
    """Pictures, truth and facts in one folder."""

    folder: Path
    classes: tuple[str, ...]
    images: tuple[PreparedImage, ...]
    notes: tuple[str, ...]

    @staticmethod
    def open(folder: Path) -> PreparedData:
        """Return what was written; BadInputError where nothing whole is there."""
        try:
            facts = json.loads((folder / _FACTS).read_text(encoding="utf-8"))
        except (OSError, json.JSONDecodeError) as error:
            raise BadInputError(
                f"no prepared data in {folder}: {error}; a study prepares them when it is run "
                "(without --only-report), and where all is done it runs nothing else"
            ) from error
        images = tuple(
            PreparedImage(**{**image, "shape": tuple(image["shape"])}) for image in facts["images"]
        )
        return PreparedData(folder, tuple(facts["classes"]), images, tuple(facts["notes"]))

    def part(self, name: str) -> tuple[PreparedImage, ...]:
        """Return the images of a part."""
        return tuple(image for image in self.images if image.part == name)

    def images_dir(self, part: str) -> Path:
        """Return the folder of the pictures of a part."""
        return self.folder / part / "images"

    def truth(self, part: str) -> PreparedTruth:
        """Return the truth of a part, to be asked region by region."""
        return PreparedTruth(self.folder / part, {i.id: i for i in self.part(part)})

    def labelled_images(self, part: str) -> tuple[LabelledImage, ...]:
        """Return the images of a part with their truth, to measure on."""
        truth = self.truth(part)
        return tuple(
            LabelledImage(
                image.id,
                partial(open_image, self.images_dir(part) / image.id),
                partial(truth.read_target, Region.whole(image.id, image.shape)),
                partial(truth.objects, Region.whole(image.id, image.shape)),
            )
            for image in self.part(part)
        )


@dataclass(frozen=True, slots=True)
class PreparedTruth:
    """The truth of a part as an AnnotationSource."""

    folder: Path
    by_id: dict[str, PreparedImage]

    @property
    def image_ids(self) -> tuple[str, ...]:
        """Images that it knows."""
        return tuple(self.by_id)

    def parts(self, image: ImageRef) -> tuple[Region, ...]:
        """Return the one region that covers the image."""
        return (Region.whole(image.id, image.shape),)

    def read_target(self, region: Region) -> NDArray[np.uint8]:
        """Return the classes (H, W) of ``region`` alone."""
        return read_array(self.folder / "truth" / region.image_id)[region.slices].astype(np.uint8)

    def objects(self, region: Region) -> NDArray[np.int32] | None:
        """Return the ids of the objects in ``region``; None where they are not distinguished."""
        if not self.by_id[region.image_id].has_objects:
            return None
        ids = read_array(self.folder / "objects" / region.image_id)
        return ids[region.slices].astype(np.int32)


def prepare(
    data: DataSet,
    fit: Fit,
    folder: Path,
    *,
    parts: Sequence[str] = ("train", "test"),
    on_image: Callable[[int, int, str], None],
) -> PreparedData:
    """Write the parts of a data set into ``folder``, or return what an earlier try finished.

    Images of which nothing is known are left out.
    """
    wanted = {
        "classes": list(data.classes),
        "fit": json.loads(json.dumps(asdict(fit))),
        "samples": {part: [sample.id for sample in data.parts.get(part, ())] for part in parts},
    }
    if (folder / _FACTS).is_file():
        there = json.loads((folder / _FACTS).read_text(encoding="utf-8"))
        if there["asked"] != wanted:
            raise BadInputError(f"{folder} holds other data, or another size; choose another --out")
        return PreparedData.open(folder)
    if folder.exists():
        shutil.rmtree(folder)  # half of it, left by a try that was killed
    total = sum(len(names) for names in wanted["samples"].values())
    images: list[PreparedImage] = []
    for part in parts:
        for sample in data.parts.get(part, ()):
            on_image(len(images), total, f"preparing {sample.id}")
            written = _write(sample, part, fit, folder / part)
            if written is not None:
                images.append(written)
    for part in ("train", "test"):
        if not any(image.part == part for image in images):
            raise ImageError(f"the data set has no image in its part {part!r}")
    facts = {
        "classes": list(data.classes),
        "notes": list(data.notes),
        "images": [asdict(image) for image in images],
        "asked": wanted,
    }
    with atomic_write(folder / _FACTS) as begun:
        begun.write_text(json.dumps(facts, indent=1), encoding="utf-8")
    return PreparedData.open(folder)


def _write(sample: Sample, part: str, fit: Fit, folder: Path) -> PreparedImage | None:
    pixels, classes = sample.image(), sample.truth()
    if pixels.shape[:2] != classes.shape:
        raise ImageError(
            f"{sample.id} is {pixels.shape[0]} x {pixels.shape[1]} but its truth is "
            f"{classes.shape[0]} x {classes.shape[1]}"
        )
    pixels, classes = fit.image(pixels), fit.truth(classes)
    known = int((classes != UNLABELLED).sum())
    if known == 0:
        return None
    name = f"{sample.id}.png"
    _save(pixels, folder / "images" / name)
    _save(classes, folder / "truth" / name)
    ids = None if sample.objects is None else sample.objects()
    if ids is not None:
        _save(fit.objects(ids).astype(np.uint16), folder / "objects" / name)
    shape = (classes.shape[0], classes.shape[1])
    return PreparedImage(
        name, part, shape, known, sample.group, sample.kind, sample.frame, ids is not None
    )


def _save(array: NDArray[np.uint8] | NDArray[np.uint16], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path, compress_level=1)


def write_table(
    data: PreparedData, path: Path, *, validation: frozenset[str], kept: frozenset[str]
) -> None:
    """Write a table of groups and splits for the training images.

    Images that are neither validation nor ``kept`` are put aside.
    """
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("image", "group", "split"))
        for image in data.part("train"):
            split = "val" if image.id in validation else "pool" if image.id in kept else "test"
            writer.writerow((image.id, image.group, split))
