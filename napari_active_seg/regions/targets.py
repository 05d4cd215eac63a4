"""Paint and targets: the only place where one becomes the other.

On the canvas 0 is "nothing painted" and class k is painted as k + 1, since a
labels layer shows 0 as transparent. Everywhere else a *target* is meant: 0..K-1 are
classes and 255 is "not labelled".
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.errors import BadInputError

__all__ = ["UNLABELLED", "check_target", "paint_to_target", "target_to_paint"]

UNLABELLED = 255


def paint_to_target(paint: NDArray[np.integer], *, n_classes: int) -> NDArray[np.uint8]:
    """Return the target (H, W) uint8 of canvas ``paint`` (H, W)."""
    if paint.size and (int(paint.min()) < 0 or int(paint.max()) > n_classes):
        raise BadInputError(
            f"paint must be 0 to {n_classes}, got {int(paint.min())} to {int(paint.max())}"
        )
    lookup = np.concatenate(([UNLABELLED], np.arange(n_classes))).astype(np.uint8)
    return lookup[paint]


def target_to_paint(target: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return canvas paint (H, W) uint8 of a ``target`` (H, W); unlabelled becomes 0."""
    return (target + np.uint8(1)).astype(np.uint8)  # 255 + 1 wraps to 0


def check_target(target: NDArray[np.uint8], *, n_classes: int, where: str) -> None:
    """Raise BadInputError unless every value is a class or "not labelled"."""
    if target.dtype != np.uint8 or target.ndim != 2:
        raise BadInputError(
            f"{where}: a target is (H, W) uint8, got {target.ndim} axes of {target.dtype}"
        )
    wrong = (target >= n_classes) & (target != UNLABELLED)
    if wrong.any():
        value = int(target[wrong][0])
        raise BadInputError(
            f"{where}: value {value} is not a class; classes are 0 to {n_classes - 1} "
            f"and {UNLABELLED} is 'not labelled'"
        )
