"""Scores of single images averaged over images, with intervals over images or groups of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from napari_active_seg.metrics.bootstrap import Interval, bootstrap_interval
from napari_active_seg.metrics.evaluation import EvalReport

__all__ = ["LEAST_GROUPS", "Groups", "estimate_over_images", "scores_by_group"]

#: Of fewer images, or groups of them, even expanded intervals are too narrow.
LEAST_GROUPS = 4
#: The patient or slide of an image; an image that is missing, or has None, stands for itself.
Groups: TypeAlias = Mapping[str, str | None]


def estimate_over_images(
    report: EvalReport, *, groups: Groups | None = None, level: float = 0.95
) -> dict[str, Interval]:
    """Return scores by name, with bootstrap intervals over images; unknown ones are left out.

    ``image_mean_dice`` and ``image_dice/NAME`` are means over images that are scored one by one,
    ``accuracy`` and ``ece`` are pooled over their pixels. Images of one group are resampled
    together, since they are alike. Limits are expanded percentiles (Hesterberg 2015), since plain
    ones are too narrow for few images; fewer than four groups give none (NaN).
    """
    dice = np.array([image.confusion.dice for image in report.images], np.float64)
    means = np.array([image.confusion.mean_dice for image in report.images], np.float64)
    hits = [(i.confusion.hits.sum(), i.confusion.n_pixels) for i in report.images]
    gaps = [(*(i.bins.hits - i.bins.confidence_sums), i.bins.counts.sum()) for i in report.images]
    sums: dict[str, tuple[NDArray[np.float64], _Score]] = {
        "image_mean_dice": (_with_counts(means), _ratio),
        **{
            f"image_dice/{name}": (_with_counts(dice[:, k] if len(dice) else means), _ratio)
            for k, name in enumerate(report.classes)
        },
        "accuracy": (np.array(hits, np.float64).reshape(-1, 2), _ratio),
        "ece": (np.array(gaps, np.float64), _gap),
    }
    found = {}
    for name, (of_images, score) in sums.items():
        by_group = _sum_by_group(of_images, report.image_ids, groups)
        known = bootstrap_interval(by_group, score, level=_expand(level, len(by_group)))
        few = len(by_group) < LEAST_GROUPS
        low, high = (np.nan, np.nan) if few else (known.low, known.high)
        found[name] = Interval(known.value, low, high, level)
    return {name: known for name, known in found.items() if not np.isnan(known.value)}


def scores_by_group(report: EvalReport, groups: Groups | None = None) -> tuple[float, ...]:
    """Return the mean Dice of the images of each group, to learn how widely they scatter."""
    means = np.array([image.confusion.mean_dice for image in report.images], np.float64)
    sums = _sum_by_group(_with_counts(means), report.image_ids, groups)
    return tuple(float(total / n) for total, n in sums if n)


def _expand(level: float, n: int) -> float:
    """Return the level of a percentile interval that holds as often as Student's of n values.

    Resampled means of n values scatter less than they should, by the root of (n - 1) / n, and the
    normal distribution has lighter tails than Student's.
    """
    if n < LEAST_GROUPS:
        return level
    reach = math.sqrt(n / (n - 1)) * float(stats.t.ppf((1 + level) / 2, n - 1))
    return float(1 - 2 * stats.norm.sf(reach))


_Score = Callable[[NDArray[np.float64]], NDArray[np.float64]]


def _with_counts(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (images, 2): each value, 0 where it is unknown, and whether it is known."""
    known = ~np.isnan(values)
    return np.stack([np.where(known, values, 0.0), known], axis=-1).astype(np.float64)


def _sum_by_group(
    of_images: NDArray[np.float64], image_ids: tuple[str, ...], groups: Groups | None
) -> NDArray[np.float64]:
    """Return the sums of (images, ...) over the images of each group, in the order of names."""
    if not image_ids:
        return of_images[:0]
    names = [(groups or {}).get(image_id) or image_id for image_id in image_ids]
    unique, place = np.unique(names, return_inverse=True)
    sums = np.zeros((len(unique), *of_images.shape[1:]))
    np.add.at(sums, place, of_images)
    return sums


def _ratio(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    total, n = sums[:, 0], sums[:, 1]
    return np.divide(total, n, out=np.full(len(sums), np.nan), where=n > 0)


def _gap(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    total, n = np.abs(sums[:, :-1]).sum(axis=1), sums[:, -1]
    return np.divide(total, n, out=np.full(len(sums), np.nan), where=n > 0)
