"""What a seed draws before anything is labelled: validation, and the order of the first images."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

import numpy as np

from napari_active_seg.studies.datasets.cache import PreparedImage

__all__ = ["at_every", "drawn_order", "drawn_validation"]

_VALIDATION, _START = 1, 2


def drawn_validation(
    images: Sequence[PreparedImage], count: int, *, seed: int, balanced: bool
) -> frozenset[str]:
    """Return the ids of images that are set aside to choose among restarts."""
    return frozenset(_ordered(images, (seed, _VALIDATION), balanced)[:count])


def drawn_order(images: Sequence[PreparedImage], *, seed: int, balanced: bool) -> tuple[str, ...]:
    """Return the ids of images in the order in which they are labelled at the start.

    Balanced, kinds take turns.
    """
    return tuple(_ordered(images, (seed, _START), balanced))


def at_every(images: Sequence[PreparedImage], step: int) -> frozenset[str]:
    """Return the ids of every ``step``-th image in order of time within each group."""
    in_time = sorted(images, key=lambda image: (image.group, image.frame or 0, image.id))
    return frozenset(image.id for image in in_time[::step])


def _ordered(images: Sequence[PreparedImage], seed: tuple[int, int], balanced: bool) -> list[str]:
    rng = np.random.default_rng(seed)
    order = [images[i] for i in rng.permutation(len(images))]
    if not balanced:
        return [image.id for image in order]
    kinds = sorted({image.kind for image in order})
    by_kind = [[image.id for image in order if image.kind == kind] for kind in kinds]
    return [i for turn in zip_longest(*by_kind) for i in turn if i is not None]
