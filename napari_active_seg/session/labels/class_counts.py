"""How many pixels of each class the labels of a training hold, and whether that can be learned."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.errors import OneClassError, Remedy, RemedyId
from napari_active_seg.regions import UNLABELLED, RegionLabel, find_background

__all__ = ["count_classes", "describe_rare_classes", "find_only_class", "one_class_error"]

#: A class with a smaller share of the labelled pixels is likely to be missed.
_LEAST_SHARE = 0.01


def count_classes(labels: Sequence[RegionLabel], n_classes: int) -> NDArray[np.int64]:
    """Return the number of pixels (n_classes,) that the labels give to each class."""
    counts = np.zeros(UNLABELLED + 1, np.int64)
    for label in labels:
        counts += np.bincount(label.target.ravel(), minlength=len(counts))
    return counts[:n_classes]


def find_only_class(counts: NDArray[np.int64]) -> int | None:
    """Return the class that all labelled pixels are of; None where there are several, or none."""
    present = np.flatnonzero(counts)
    return int(present[0]) if len(present) == 1 else None


def one_class_error(
    counts: NDArray[np.int64],
    only: int,
    names: Sequence[str],
    *,
    n_regions: int,
    has_unpainted: bool,
) -> OneClassError:
    """Return the error for labels that are all of class ``only``.

    Where finished regions have unpainted pixels, counting them as background is offered as remedy,
    unless background is the class that is labelled.
    """
    background = find_background(names)
    helps = has_unpainted and background != only
    where = "the finished region" if n_regions == 1 else f"the {n_regions} finished regions"
    remedy = "paint another class too"
    if helps:
        remedy += f", or count unpainted pixels as {names[background]}"
    return OneClassError(
        f"all {counts.sum():,} labelled pixels of {where} are {names[only]}: a model that has seen "
        f"one class predicts it everywhere; {remedy}",
        remedies=_count_unpainted(names[background]) if helps else (),
    )


def _count_unpainted(background: str) -> tuple[Remedy, ...]:
    label = f"Count unpainted pixels as {background} and train"
    return (Remedy(RemedyId.COUNT_UNPAINTED, label),)


def describe_rare_classes(counts: NDArray[np.int64], names: Sequence[str]) -> tuple[str, ...]:
    """Return a warning for classes without a labelled pixel, and for each with very few."""
    total = int(counts.sum())
    if total == 0:
        return ()
    missing = [name for name, count in zip(names, counts, strict=True) if count == 0]
    warnings = []
    if missing:
        warnings.append(
            f"no pixel is labelled {' or '.join(missing)}: the model cannot learn "
            f"{'it' if len(missing) == 1 else 'them'}; label regions that show "
            f"{'it' if len(missing) == 1 else 'them'}"
        )
    for name, count in zip(names, counts, strict=True):
        share = count / total
        if 0 < share < _LEAST_SHARE:
            warnings.append(
                f"only {100 * share:.2g} % of the labelled pixels are {name}: the model may miss "
                "it; label more regions that show it"
            )
    return tuple(warnings)
