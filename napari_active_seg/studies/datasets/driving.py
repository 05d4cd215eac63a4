"""Cityscapes and CamVid: streets, in frames of videos."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.errors import ImageError
from napari_active_seg.regions import UNLABELLED
from napari_active_seg.studies.datasets.base import (
    DataSet,
    Reader,
    Sample,
    folder_in,
    from_codes,
    picture,
    read_ids,
)

__all__ = ["CAMVID", "CITYSCAPES", "STREET_CLASSES", "read_camvid", "read_cityscapes"]

STREET_CLASSES = (
    "road", "sidewalk", "building", "wall", "fence", "pole", "traffic light", "traffic sign",
    "vegetation", "terrain", "sky", "person", "rider", "car", "truck", "bus", "train",
    "motorcycle", "bicycle",
)  # fmt: skip
#: Numbers in *_labelIds.png of the classes that are scored.
_CITY_IDS = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)
#: aachen_000000_000019_leftImg8bit
_CITY_NAME = re.compile(r"(?P<sequence>.+_\d+)_(?P<frame>\d+)_leftImg8bit")


def read_cityscapes(root: Path) -> DataSet:
    """Return the 2,975 finely annotated training images, and the 500 of val as ``test``."""
    images, fine = folder_in(root, "leftImg8bit"), folder_in(root, "gtFine")
    parts = {
        ours: tuple(
            _city_sample(path, fine / theirs / path.parent.name)
            for path in sorted((images / theirs).glob("*/*_leftImg8bit.png"))
        )
        for ours, theirs in (("train", "train"), ("test", "val"))
    }
    return DataSet(STREET_CLASSES, parts)


def _city_sample(path: Path, folder: Path) -> Sample:
    name = _CITY_NAME.fullmatch(path.stem)
    if name is None:
        raise ImageError(f"{path} is not named as Cityscapes names its images")
    mask = folder / path.name.replace("_leftImg8bit", "_gtFine_labelIds")
    if not mask.is_file():
        raise ImageError(f"{path} has no annotation {mask}")
    return Sample(
        path.stem.removesuffix("_leftImg8bit"),
        partial(picture, path),
        partial(_city_truth, mask),
        group=name["sequence"],
        frame=int(name["frame"]),
    )


def _city_truth(path: Path) -> NDArray[np.uint8]:
    return from_codes(read_ids(path), {code: k for k, code in enumerate(_CITY_IDS)})


CITYSCAPES = Reader(
    "cityscapes",
    "Cityscapes (Cordts et al. 2016)",
    "cityscapes-dataset.com after registration: leftImg8bit_trainvaltest and gtFine_trainvaltest",
    "research and teaching, no commercial use",
    read_cityscapes,
)

# --- CamVid --------------------------------------------------------------------------------------

#: The eleven classes that are usually scored, and the names of label_colors.txt that they take in.
_CAMVID = {
    "sky": ("Sky",),
    "building": ("Building", "Archway", "Bridge", "Tunnel", "Wall"),
    "pole": ("Column_Pole", "TrafficCone"),
    "road": ("Road", "LaneMkgsDriv", "LaneMkgsNonDriv"),
    "pavement": ("Sidewalk", "ParkingBlock", "RoadShoulder"),
    "tree": ("Tree", "VegetationMisc"),
    "sign": ("SignSymbol", "Misc_Text", "TrafficLight"),
    "fence": ("Fence",),
    "car": ("Car", "SUVPickupTruck", "Truck_Bus", "Train", "OtherMoving"),
    "pedestrian": ("Pedestrian", "Child", "CartLuggagePram", "Animal"),
    "bicyclist": ("Bicyclist", "MotorcycleScooter"),
}
#: 0006R0_f00930, 0016E5_07959, 0001TP_006690, Seq05VD_f00000
_CAMVID_NAME = re.compile(r"(?P<sequence>0001TP|0006R0|0016E5|Seq05VD)_f?(?P<frame>\d+)")


def read_camvid(root: Path) -> DataSet:
    """Return 367 images as ``train``, 101 as ``val`` and 233 as ``test``, the usual split."""
    images = folder_in(root, "701_StillsRaw_full", "images")
    labels = folder_in(root, "LabeledApproved_full", "labels")
    table = _camvid_colours(root / "label_colors.txt")
    parts: dict[str, list[Sample]] = {"train": [], "val": [], "test": []}
    for path in sorted(images.glob("*.png")):
        name = _CAMVID_NAME.fullmatch(path.stem)
        if name is None:
            raise ImageError(f"{path} is not named as CamVid names its images")
        sequence, frame = name["sequence"], int(name["frame"])
        mask = labels / f"{path.stem}_L.png"
        if not mask.is_file():
            raise ImageError(f"{path} has no annotation {mask}")
        parts[_camvid_part(sequence, frame)].append(
            Sample(
                path.stem,
                partial(picture, path),
                partial(_camvid_truth, mask, table),
                group=sequence,
                frame=frame,
            )
        )
    return DataSet(tuple(_CAMVID), {part: tuple(found) for part, found in parts.items()})


def _camvid_part(sequence: str, frame: int) -> str:
    """Return the part of a frame: two sequences are cut, as Brostow et al. 2009 have it."""
    if sequence == "Seq05VD" or (sequence == "0001TP" and frame >= 8550):
        return "test"
    if sequence == "0016E5" and 7959 <= frame <= 8159 and frame % 2 == 1:
        return "val"
    return "train"


def _camvid_colours(path: Path) -> dict[tuple[int, int, int], int]:
    if not path.is_file():
        raise ImageError(f"no table of colours at {path}")
    of_name = {name: k for k, names in enumerate(_CAMVID.values()) for name in names}
    found = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        words = line.split()
        if len(words) == 4 and words[3] in of_name:
            found[int(words[0]), int(words[1]), int(words[2])] = of_name[words[3]]
    return found


def _camvid_truth(path: Path, table: dict[tuple[int, int, int], int]) -> NDArray[np.uint8]:
    return by_colour(picture(path), table)


def by_colour(
    colours: NDArray[np.uint8], table: dict[tuple[int, int, int], int]
) -> NDArray[np.uint8]:
    """Return the classes that a table gives to the colours of a picture; 255 where it has none."""
    codes = colours.astype(np.int64) @ np.array([65536, 256, 1])
    packed = {(r << 16) + (g << 8) + b: index for (r, g, b), index in table.items()}
    return from_codes(codes, packed, other=UNLABELLED)


CAMVID = Reader(
    "camvid",
    "CamVid (Brostow et al. 2009)",
    "mi.eng.cam.ac.uk/research/projects/VideoRec/CamVid: 701_StillsRaw_full, "
    "LabeledApproved_full, label_colors.txt",
    "research",
    read_camvid,
)
