"""How many clicks outlines take, and what of the truth is kept, as polygons get coarser.

After the polygon study of Mittal et al. 2019: outlines of the true objects are simplified by
Ramer's, Douglas's and Peucker's algorithm at growing tolerances, and what the polygons cover is
compared with the truth.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.errors import BadInputError, ConfigError
from napari_active_seg.figures import Curve, Report, draw_curves
from napari_active_seg.metrics import ConfusionMatrix
from napari_active_seg.regions import MaskedRegion, Region
from napari_active_seg.studies.simulated_annotator import AnnotatorSettings, answer

__all__ = ["PolygonPoint", "polygon_study", "write_polygon_study"]


@dataclass(frozen=True, slots=True)
class PolygonPoint:
    """A tolerance in pixels, what it takes, and what is kept, pooled over all known pixels."""

    tolerance: float
    clicks: int
    clicks_per_image: float
    mean_jaccard: float
    mean_dice: float
    seconds_per_image: float


def polygon_study(
    truths: Sequence[tuple[str, Callable[[], NDArray[np.uint8]]]],
    tolerances: Sequence[float],
    *,
    n_classes: int,
    on_image: Callable[[int, int, str], None],
) -> tuple[PolygonPoint, ...]:
    """Return a point for each tolerance, over images by name with what loads their truth."""
    if not truths:
        raise BadInputError("there is no mask to outline")
    if not tolerances or not all(0 < tolerance < math.inf for tolerance in tolerances):
        raise ConfigError(f"tolerances must be above 0 pixels, got {list(tolerances)}")
    matrices = [ConfusionMatrix.empty(n_classes) for _ in tolerances]
    clicks = np.zeros(len(tolerances), np.int64)
    seconds = np.zeros(len(tolerances))
    for number, (image_id, load) in enumerate(truths):
        on_image(number, len(truths), image_id)
        truth = load()
        place = MaskedRegion(Region.whole(image_id, truth.shape))
        for k, tolerance in enumerate(tolerances):
            given = answer(truth, place, AnnotatorSettings(tolerance), n_classes=n_classes)
            matrices[k] = matrices[k].add(given.target, truth)
            clicks[k] += given.clicks
            seconds[k] += given.seconds
    on_image(len(truths), len(truths), "")
    return tuple(
        PolygonPoint(
            float(tolerance),
            int(clicks[k]),
            float(clicks[k] / len(truths)),
            float(matrices[k].mean_jaccard),
            float(matrices[k].mean_dice),
            float(seconds[k] / len(truths)),
        )
        for k, tolerance in enumerate(tolerances)
    )


def write_polygon_study(points: Sequence[PolygonPoint], n_images: int, out: Path) -> None:
    """Write polygons.csv, polygons.json and polygons.html into the folder ``out``."""
    out.mkdir(parents=True, exist_ok=True)
    rows = [asdict(point) for point in points]
    with (out / "polygons.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    facts = {"images": n_images, "points": rows}
    (out / "polygons.json").write_text(json.dumps(facts, indent=2), encoding="utf-8")
    report = Report("Polygons", f"Clicks and what they keep, over {n_images} images")
    ordered = sorted(points, key=lambda point: point.clicks_per_image)
    curve = Curve(
        "simplified outlines",
        [point.clicks_per_image for point in ordered],
        [100 * point.mean_jaccard for point in ordered],
    )
    drawn = draw_curves([curve], x_title="clicks per image", y_title="mean Jaccard kept (%)")
    report.chart(drawn, "What of the truth polygons keep", width=470)
    report.table(
        ("tolerance (px)", "clicks per image", "mean Jaccard (%)", "mean Dice (%)", "s per image"),
        [
            (
                p.tolerance,
                p.clicks_per_image,
                100 * p.mean_jaccard,
                100 * p.mean_dice,
                p.seconds_per_image,
            )
            for p in points
        ],
    )
    report.write(out / "polygons.html")
