"""Nuclei: MoNuSeg (H&E, outlines in XML) and DSB2018 (stage 1, a mask for each nucleus)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.acquisition.polygon_simplification import polygon_mask
from napari_active_seg.errors import ImageError
from napari_active_seg.images import open_picture
from napari_active_seg.studies.datasets.base import (
    DataSet,
    Reader,
    Sample,
    folder_in,
    picture,
    read_ids,
)

__all__ = ["DSB2018", "MONUSEG", "read_dsb2018", "read_monuseg"]

_CLASSES = ("background", "nucleus")


def read_monuseg(root: Path) -> DataSet:
    """Return the 30 (or 37) training images, and the 14 of the test where they are there.

    Without them every fifth training image is ``test``. ``group`` is the patient.
    """
    train = _monuseg_folder(folder_in(root, "MoNuSeg 2018 Training Data", "train", "Training"))
    try:
        test = _monuseg_folder(folder_in(root, "MoNuSegTestData", "test", "Test"))
    except ImageError:
        note = "Without the test images: every fifth training image is measured on."
        return DataSet(
            _CLASSES,
            {
                "train": tuple(s for k, s in enumerate(train) if k % 5),
                "test": tuple(train[::5]),
            },
            (note,),
        )
    return DataSet(_CLASSES, {"train": tuple(train), "test": tuple(test)})


def _monuseg_folder(folder: Path) -> list[Sample]:
    found = []
    outlines = {path.stem: path for path in folder.rglob("*.xml")}
    for path in sorted(p for p in folder.rglob("*.tif") if p.is_file()):
        if path.stem not in outlines:
            raise ImageError(f"{path} has no outlines {path.stem}.xml")
        with open_picture(path) as opened:
            shape = (opened.height, opened.width)
        objects = partial(_monuseg_ids, outlines[path.stem], shape)
        found.append(
            Sample(
                path.stem,
                partial(picture, path),
                partial(_above, objects),
                objects,
                group="-".join(path.stem.split("-")[:3]),
            )
        )
    if not found:
        raise ImageError(f"no .tif image in {folder}")
    return found


def _monuseg_ids(path: Path, shape: tuple[int, int]) -> NDArray[np.int32]:
    """Return the ids of nuclei out of the regions of an XML; later ones lie above earlier."""
    try:
        regions = ET.parse(path).getroot().iter("Region")
    except ET.ParseError as error:
        raise ImageError(f"{path} is not readable XML: {error}") from error
    ids = np.zeros(shape, np.int32)
    number = 0
    for region in regions:
        ring = [(float(v.attrib["Y"]), float(v.attrib["X"])) for v in region.iter("Vertex")]
        if len(ring) < 3:
            continue
        number += 1
        ids[polygon_mask(np.array(ring), shape)] = number
    return ids


def _above(objects: partial[NDArray[np.int32]]) -> NDArray[np.uint8]:
    return (objects() > 0).astype(np.uint8)


MONUSEG = Reader(
    "monuseg",
    "MoNuSeg (Kumar et al. 2017, 2020)",
    "monuseg.grand-challenge.org: training and test data",
    "CC BY-NC-SA 4.0",
    read_monuseg,
)


def read_dsb2018(root: Path) -> DataSet:
    """Return four of five images of stage1_train as ``train`` and every fifth as ``test``.

    ``kind`` is stained or fluorescent, by the brightness of the image.
    """
    folder = folder_in(root, "stage1_train")
    samples = []
    for home in sorted(p for p in folder.iterdir() if p.is_dir()):
        image = home / "images" / f"{home.name}.png"
        masks = sorted((home / "masks").glob("*.png"))
        if not image.is_file() or not masks:
            raise ImageError(f"{home} has no picture of its name, or no masks")
        objects = partial(_dsb_ids, masks)
        samples.append(
            Sample(home.name, partial(picture, image), partial(_above, objects), objects,
                   kind=_brightness(image))
        )  # fmt: skip
    return DataSet(
        _CLASSES,
        {"train": tuple(s for k, s in enumerate(samples) if k % 5), "test": tuple(samples[::5])},
        ("Every fifth image of stage 1 is measured on: the official test masks came later.",),
    )


def _dsb_ids(masks: Sequence[Path]) -> NDArray[np.int32]:
    ids: NDArray[np.int32] | None = None
    for number, path in enumerate(masks, 1):
        mask = read_ids(path) > 0
        ids = np.zeros(mask.shape, np.int32) if ids is None else ids
        ids[mask] = number
    if ids is None:
        raise ImageError("no mask of a nucleus")
    return ids


def _brightness(path: Path) -> str:
    with open_picture(path) as opened:
        small = np.asarray(opened.convert("L").resize((32, 32)))
    return "fluorescent" if small.mean() < 100 else "stained"


DSB2018 = Reader(
    "dsb2018",
    "Data Science Bowl 2018 (Caicedo et al. 2019), stage 1",
    "bbbc.broadinstitute.org/BBBC038 (stage1_train)",
    "CC-0",
    read_dsb2018,
)
