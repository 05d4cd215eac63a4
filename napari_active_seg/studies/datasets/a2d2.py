"""A2D2: streets in 23 sequences, 38 categories to 19, and pools of growing redundancy."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.errors import ConfigError, ImageError
from napari_active_seg.studies.datasets.base import DataSet, Reader, Sample, folder_in, picture
from napari_active_seg.studies.datasets.driving import STREET_CLASSES, by_colour
from napari_active_seg.studies.datasets.redundancy import augmented_pool, consecutive_pool

__all__ = ["A2D2", "A2D2_POOLS", "read_a2d2"]

#: Categories of class_list.json (without their numbers) by class of Cityscapes. What is not here
#: is not scored: the paper gives no table, this one is ours.
_TO_STREET: Mapping[str, tuple[str, ...]] = {
    "road": (
        "RD normal street", "Drivable cobblestone", "Solid line", "Dashed line", "Zebra crossing",
        "Painted driv. instr.", "Slow drive area", "RD restricted area", "Parking area",
        "Speed bumper",
    ),
    "sidewalk": ("Sidewalk", "Curbstone"),
    "building": ("Buildings",),
    "wall": ("Road blocks",),
    "fence": ("Grid structure", "Sidebars"),
    "pole": ("Poles", "Signal corpus"),
    "traffic light": ("Traffic signal", "Electronic traffic"),
    "traffic sign": ("Traffic sign", "Irrelevant signs", "Traffic guide obj."),
    "vegetation": ("Nature object",),
    "terrain": ("Non-drivable street",),
    "sky": ("Sky",),
    "person": ("Pedestrian",),
    "car": ("Car",),
    "truck": ("Truck", "Utility vehicle"),
    "bus": ("Tractor",),
    "motorcycle": ("Small vehicles",),
    "bicycle": ("Bicycle",),
}  # fmt: skip
#: The sequence with the best balance of classes is for measuring (Mittal et al. 2025).
_TEST = "20180925_112730"
_NAME = re.compile(r".*_camera_frontcenter_(?P<frame>\d+)")
_POOL_SIZE = 2640
#: Consecutive frames behind each that is drawn, by the pool's name.
_FRAMES = {"0f": 0, "5f": 5, "11f": 11, "21f": 21}


def read_a2d2(root: Path, *, pool: str | None = None, size: int = _POOL_SIZE) -> DataSet:
    """Return all sequences but one as ``train``, and that one as ``test``.

    ``pool`` 0f, 5f, 11f or 21f keeps ``size`` images, drawn with that many frames after each;
    ``aug`` draws a sixth of them and makes five of each by cropping 85 % and changing colours.
    """
    home = (
        root if (root / "class_list.json").is_file() else folder_in(root, "camera_lidar_semantic")
    )
    table = _colours(home / "class_list.json")
    by_sequence = {
        folder.name: _frames(folder, table)
        for folder in sorted(home.iterdir())
        if (folder / "camera").is_dir()
    }
    if not by_sequence:
        raise ImageError(f"no sequence such as {_TEST} in {home}")
    train = [by_sequence[name] for name in by_sequence if name != _TEST]
    kept: Sequence[Sample] = [sample for frames in train for sample in frames]
    if pool == "aug":
        kept = augmented_pool(kept, size=size, seed=0)
    elif pool is not None:
        if pool not in _FRAMES:
            raise ConfigError(f"a pool of A2D2 is {', '.join(_FRAMES)} or aug, not {pool!r}")
        kept = consecutive_pool(train, size=size, following=_FRAMES[pool], seed=0)
    notes = ("Categories are mapped to the classes of Cityscapes by a table of our own.",)
    parts = {"train": tuple(kept), "test": tuple(by_sequence.get(_TEST, ()))}
    return DataSet(STREET_CLASSES, parts, notes)


def _frames(folder: Path, table: Mapping[tuple[int, int, int], int]) -> list[Sample]:
    found = []
    for path in sorted((folder / "camera" / "cam_front_center").glob("*.png")):
        name = _NAME.fullmatch(path.stem)
        label = path.name.replace("_camera_", "_label_")
        mask = folder / "label" / "cam_front_center" / label
        if name is None or not mask.is_file():
            raise ImageError(f"{path} is not named as A2D2 names its images, or has no {label}")
        found.append(
            Sample(
                path.stem,
                partial(picture, path),
                partial(_truth, mask, dict(table)),
                group=folder.name,
                frame=int(name["frame"]),
            )
        )
    return found


def _truth(path: Path, table: dict[tuple[int, int, int], int]) -> NDArray[np.uint8]:
    return by_colour(picture(path), table)


def _colours(path: Path) -> dict[tuple[int, int, int], int]:
    """Return the class of each colour of class_list.json (``"#ff0000": "Car 1"``)."""
    names: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    of_name = {
        theirs: STREET_CLASSES.index(ours) for ours, many in _TO_STREET.items() for theirs in many
    }
    found = {}
    for colour, name in names.items():
        bare = re.sub(r"\s*\d+$", "", name)
        if bare in of_name:
            red, green, blue = bytes.fromhex(colour.lstrip("#"))
            found[red, green, blue] = of_name[bare]
    return found


_SOURCE = "a2d2.audi, 'semantic segmentation' (camera_lidar_semantic)"
_TERMS = "CC BY-ND 4.0"
A2D2 = Reader("a2d2", "A2D2 (Geyer et al. 2020)", _SOURCE, _TERMS, read_a2d2)
A2D2_POOLS = tuple(
    Reader(
        f"a2d2-pool-{pool}",
        f"A2D2, Pool-{pool} of Mittal et al. 2025",
        _SOURCE,
        _TERMS,
        partial(read_a2d2, pool=pool),
    )
    for pool in (*_FRAMES, "aug")
)
