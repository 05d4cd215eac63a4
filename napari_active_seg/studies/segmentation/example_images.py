"""What was selected, in pictures: the images of an arm that were asked for most, round by round."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from numpy.typing import NDArray
from scipy import ndimage

from napari_active_seg.acquisition import RegionKind
from napari_active_seg.figures import Report, image_png, outline_rgb
from napari_active_seg.images import read_rgb
from napari_active_seg.project import Project, QueuedRegion
from napari_active_seg.regions import Region
from napari_active_seg.studies.datasets.cache import PreparedData
from napari_active_seg.studies.segmentation.prediction_grid import rows_of_predictions
from napari_active_seg.studies.segmentation.run_base import arm_folder
from napari_active_seg.studies.segmentation.settings import StudySettings

__all__ = ["add_pictures", "selected_picture"]

_MOST_IMAGES = 4
_SHOWN_SIDE = 300
_TRUTH = (255, 255, 255)


def add_pictures(page: Report, study: StudySettings, data: PreparedData, out: Path) -> None:
    """Add what arms selected, predicted and overlooked with the first seed, where that was kept."""
    _add_selected(page, study, data, out)
    _add_rows(page, study, data, out)


def _add_rows(page: Report, study: StudySettings, data: PreparedData, out: Path) -> None:
    """Add predictions round by round, as figure 12 of the paper on clicks has them."""
    found = []
    for arm in study.arms:
        rows = rows_of_predictions(arm_folder(out, arm, study.seeds[0]), data)
        if rows is not None:
            found.append((arm.name, rows))
    if not found:
        return
    page.heading("What the models say of test images, round by round")
    page.paragraph("Each row: the image, its truth, and what each round says, the truth outlined.")
    for name, rows in found:
        page.picture(image_png(rows), name)


def _add_selected(page: Report, study: StudySettings, data: PreparedData, out: Path) -> None:
    """Add what each arm selected with the first seed, where its project is there."""
    found = []
    for arm in study.arms:
        project = arm_folder(out, arm, study.seeds[0]) / "project"
        picture = selected_picture(project, data) if project.is_dir() else None
        if picture is not None:
            found.append((arm.name, picture))
    if not found:
        return
    page.heading("What was selected")
    page.paragraph(
        f"Seed {study.seeds[0]}: the images that were asked about most. White is the outline of "
        "the truth; what was selected early is dark blue, and late is yellow."
    )
    for name, picture in found:
        page.picture(image_png(picture), name)


def selected_picture(project: Path, data: PreparedData) -> NDArray[np.uint8] | None:
    """Return a row of images with what was selected of them; None where nothing was."""
    with Project.open(project, read_only=True) as opened:
        chosen = [q for q in opened.regions.queue() if q.kind is not RegionKind.IMPORTED]
    if not chosen:
        return None
    most = Counter(queued.region.image_id for queued in chosen).most_common(_MOST_IMAGES)
    latest = max(queued.round for queued in chosen)
    tiles = [
        _drawn(data, image_id, [q for q in chosen if q.region.image_id == image_id], latest)
        for image_id, _ in most
    ]
    height = max(tile.shape[0] for tile in tiles)
    gap = np.full((height, 6, 3), 255, np.uint8)
    row: list[NDArray[np.uint8]] = []
    for tile in tiles:
        below = ((0, height - tile.shape[0]), (0, 0), (0, 0))
        row += [np.pad(tile, below, constant_values=255), gap]
    return np.concatenate(row[:-1], axis=1)


def _drawn(
    data: PreparedData, image_id: str, regions: list[QueuedRegion], latest: int
) -> NDArray[np.uint8]:
    picture = read_rgb(data.images_dir("train") / image_id)
    truth = data.truth("train")
    shown = next(image for image in data.part("train") if image.id == image_id)
    classes = truth.read_target(Region.whole(shown.id, shown.shape))
    grow = max(1, round(_SHOWN_SIDE / max(shown.shape)))
    picture, classes = (np.repeat(np.repeat(a, grow, 0), grow, 1) for a in (picture, classes))
    picture = outline_rgb(picture, classes, line=_TRUTH)
    for queued in regions:
        mask = np.zeros(shown.shape, bool)
        mask[queued.region.slices] = queued.place.mask
        large = np.repeat(np.repeat(mask, grow, 0), grow, 1)
        picture[large & ~ndimage.binary_erosion(large, iterations=2)] = _colour(
            queued.round, latest
        )
    step = max(1, round(max(picture.shape[:2]) / (2 * _SHOWN_SIDE)))
    return picture[::step, ::step]


def _colour(number: int, latest: int) -> tuple[int, ...]:
    red, green, blue, _ = colormaps["plasma"](0.1 + 0.85 * number / max(latest, 1))
    return tuple(round(255 * part) for part in (red, green, blue))
