"""Morphometry: areas of classes, and size, place and shape of each object."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from skimage.measure import regionprops

__all__ = ["MeasuredObject", "class_areas", "measure_objects"]


@dataclass(frozen=True, slots=True)
class MeasuredObject:
    """One object, in pixels of the full resolution.

    ``area_mm2`` is None where the size of a pixel is not known; ``perimeter_px`` is the length of
    the outline; ``eccentricity`` that of the ellipse with the same moments (0 is a circle);
    ``solidity`` its share of its convex hull.
    """

    number: int
    label: int
    area_px: int
    area_mm2: float | None
    y: float
    x: float
    top: int
    left: int
    bottom: int
    right: int
    perimeter_px: float
    eccentricity: float
    solidity: float
    mean_probability: float
    mean_uncertainty: float


def class_areas(classes: NDArray[np.uint8], n_classes: int, *, step: int = 1) -> tuple[int, ...]:
    """Return how many pixels of the full resolution each class has.

    Each pixel of ``classes`` (H, W) stands for ``step`` x ``step`` of them.
    """
    counts = np.bincount(classes.ravel(), minlength=n_classes)[:n_classes]
    return tuple(int(count) * step * step for count in counts)


def measure_objects(
    ids: NDArray[np.integer],
    classes: NDArray[np.uint8],
    probabilities: NDArray[np.float32],
    uncertainty: NDArray[np.float32],
    *,
    step: int = 1,
    spacing: tuple[float, float] | None = None,
) -> tuple[MeasuredObject, ...]:
    """Return the objects numbered in ``ids`` (H, W), 0 being none.

    The class of an object is the one that most of its pixels have; ``probabilities`` are
    (C, H, W), ``uncertainty`` (H, W), ``spacing`` micrometres per pixel (y, x).
    """
    found = []
    for seen in regionprops(np.asarray(ids)):
        inside = (seen.slice[0], seen.slice[1])
        mask = seen.image
        label = int(np.bincount(classes[inside][mask]).argmax())
        area = int(seen.area) * step * step
        top, left, bottom, right = (int(edge) * step for edge in seen.bbox)
        found.append(
            MeasuredObject(
                number=int(seen.label),
                label=label,
                area_px=area,
                area_mm2=None if spacing is None else area * spacing[0] * spacing[1] / 1e6,
                y=(float(seen.centroid[0]) + 0.5) * step - 0.5,
                x=(float(seen.centroid[1]) + 0.5) * step - 0.5,
                top=top,
                left=left,
                bottom=bottom,
                right=right,
                perimeter_px=float(seen.perimeter) * step,
                eccentricity=float(seen.eccentricity),
                solidity=float(seen.area / max(_hull_area(seen), 1)),
                mean_probability=float(probabilities[label][inside][mask].mean()),
                mean_uncertainty=float(uncertainty[inside][mask].mean()),
            )
        )
    return tuple(found)


def _hull_area(seen: object) -> float:
    """Return the area of the convex hull; objects on one line are their own hull."""
    image: NDArray[np.bool_] = seen.image  # type: ignore[attr-defined]
    if min(image.shape) < 3:
        return float(image.sum())
    return float(seen.area_convex)  # type: ignore[attr-defined]
