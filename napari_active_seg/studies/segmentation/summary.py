"""Measures over the records of a study: costs of scores, areas under curves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np

from napari_active_seg.metrics import auc_at_budget, budget_to_reach, score_at_budget
from napari_active_seg.studies.seed_statistics import Spread, ratios_by_seed
from napari_active_seg.studies.segmentation.record import ALL_LABELS, RoundRecord

__all__ = [
    "AXES",
    "Spread",
    "area_at",
    "arms_of",
    "cost_of",
    "costs_to_reach",
    "least_common_budget",
    "ratios_to_reach",
    "reference_of",
    "runs_of",
    "score_at",
    "share_of",
]

#: What a curve may run over, and how it is written.
AXES = {
    "pixels": "% of the pool's pixels labelled",
    "clicks": "clicks",
    "minutes": "minutes of the simulated annotator",
    "images": "images with a label",
}


def arms_of(records: Sequence[RoundRecord]) -> tuple[str, ...]:
    """Return the names of the arms in order, without the reference."""
    return tuple(dict.fromkeys(r.arm for r in records if r.arm != ALL_LABELS))


def runs_of(records: Sequence[RoundRecord], arm: str) -> dict[int, list[RoundRecord]]:
    """Return the rounds of an arm by seed, in order."""
    found: dict[int, list[RoundRecord]] = {}
    for record in sorted((r for r in records if r.arm == arm), key=lambda r: (r.seed, r.round)):
        found.setdefault(record.seed, []).append(record)
    return found


def cost_of(record: RoundRecord, axis: str) -> float:
    """Return what a record has cost until then, in the unit of an axis."""
    return {
        "pixels": 100 * record.labelled_share,
        "clicks": float(record.clicks),
        "minutes": record.seconds / 60,
        "images": float(record.images),
    }[axis]


def reference_of(records: Sequence[RoundRecord], arm: str, score: str) -> Spread:
    """Return the full-label score of the networks that an arm trains."""
    family = next((r.family for r in records if r.arm == arm), None)
    values = [r.scores.get(score) for r in records if r.arm == ALL_LABELS and r.family == family]
    return Spread.over(values)


def costs_to_reach(
    records: Sequence[RoundRecord], arm: str, *, score: str, level: float, axis: str = "pixels"
) -> dict[int, float | None]:
    """Return, by seed, the cost at which an arm first reached a score; None where it did not."""
    found = {}
    for seed, run in runs_of(records, arm).items():
        costs, scores = _rising(run, score, lambda record: cost_of(record, axis))
        found[seed] = budget_to_reach(costs, scores, level) if costs else None
    return found


def ratios_to_reach(
    records: Sequence[RoundRecord],
    one: str,
    other: str,
    *,
    score: str,
    level: float,
    axis: str = "pixels",
) -> dict[int, float | None]:
    """Return, by seed, what a score costs one arm over what it costs another; None unreached."""
    ours = costs_to_reach(records, one, score=score, level=level, axis=axis)
    theirs = costs_to_reach(records, other, score=score, level=level, axis=axis)
    return ratios_by_seed(ours, theirs)


def share_of(record: RoundRecord, records: Sequence[RoundRecord], axis: str) -> float:
    """Return what a record has cost until then over what all labels cost, or the dearest record.

    Of pixels, the share of the pool that is labelled.
    """
    if axis == "pixels":
        return record.labelled_share
    full = [cost_of(r, axis) for r in records if r.arm == ALL_LABELS]
    whole = float(np.mean(full)) if full else max(cost_of(r, axis) for r in records)
    return cost_of(record, axis) / whole if whole else 0.0


def least_common_budget(records: Sequence[RoundRecord], *, axis: str = "pixels") -> float:
    """Return the share of the whole that every run of every arm has paid for."""
    ends = [
        share_of(run[-1], records, axis)
        for arm in arms_of(records)
        for run in runs_of(records, arm).values()
    ]
    return min(ends, default=0.0)


def area_at(
    records: Sequence[RoundRecord], arm: str, *, score: str, budget: float, axis: str = "pixels"
) -> dict[int, float | None]:
    """Return AUC@B by seed; None where a curve ends earlier, or the last of all runs begins later.

    Budgets are shares of what all labels cost along ``axis``. The area begins where the last of all
    runs begins, so that an arm which starts from less gets nothing for that.
    """
    runs = [run for name in arms_of(records) for run in runs_of(records, name).values()]
    begin = max((share_of(run[0], records, axis) for run in runs), default=0.0)
    return _over_shares(records, arm, score, budget, axis, area_from=begin)


def score_at(
    records: Sequence[RoundRecord], arm: str, *, score: str, budget: float, axis: str = "pixels"
) -> dict[int, float | None]:
    """Return the score at a budget by seed; None where a curve does not reach so far."""
    return _over_shares(records, arm, score, budget, axis, area_from=None)


def _over_shares(
    records: Sequence[RoundRecord],
    arm: str,
    score: str,
    budget: float,
    axis: str,
    *,
    area_from: float | None,
) -> dict[int, float | None]:
    found: dict[int, float | None] = {}
    for seed, run in runs_of(records, arm).items():
        shares, scores = _rising(run, score, lambda record: share_of(record, records, axis))
        inside = bool(shares) and shares[0] <= budget <= shares[-1]
        if not inside:
            found[seed] = None
        elif area_from is None:
            found[seed] = score_at_budget(shares, scores, budget)
        elif (begin := max(area_from, shares[0])) < budget:
            cut = [(b, s) for b, s in zip(shares, scores, strict=True) if b > begin]
            later = [(begin, score_at_budget(shares, scores, begin)), *cut]
            found[seed] = auc_at_budget(*zip(*later, strict=True), most=budget)
        else:
            found[seed] = None
    return found


def _rising(
    run: Sequence[RoundRecord], score: str, cost: Callable[[RoundRecord], float]
) -> tuple[list[float], list[float]]:
    """Return costs and scores of a run, as far as each round has cost more than the one before."""
    points = [(cost(r), r.scores[score]) for r in run if score in r.scores]
    kept = points[:1]
    for before, now in pairwise(points):
        if now[0] <= before[0]:
            break
        kept.append(now)
    return [cost for cost, _ in kept], [value for _, value in kept]
