"""What the records of a study say: costs of scores, areas under curves, differences in pairs."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from scipy import stats

from napari_active_seg.metrics import auc_at_budget, budget_to_reach, score_at_budget
from napari_active_seg.studies.segmentation.record import ALL_LABELS, RoundRecord

__all__ = [
    "AXES",
    "Paired",
    "Spread",
    "area_at",
    "arms_of",
    "cost_of",
    "costs_to_reach",
    "least_common_budget",
    "paired",
    "ratios_by_seed",
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


@dataclass(frozen=True, slots=True)
class Spread:
    """A mean over seeds with its deviation; ``n`` of ``of`` seeds had a value."""

    mean: float
    deviation: float
    n: int
    of: int

    @staticmethod
    def over(values: Sequence[float | None]) -> Spread:
        """Return the spread of what is known of ``values``."""
        known = [value for value in values if value is not None]
        if not known:
            return Spread(math.nan, math.nan, 0, len(values))
        deviation = float(np.std(known, ddof=1)) if len(known) > 1 else math.nan
        return Spread(float(np.mean(known)), deviation, len(known), len(values))

    def times(self, factor: float) -> Spread:
        """Return the spread of values that are ``factor`` times as large."""
        return replace(self, mean=self.mean * factor, deviation=self.deviation * factor)

    def describe(self, digits: int = 1) -> str:
        """Return mean and deviation, and how many seeds they are of where that is not all."""
        if self.n == 0:
            return "not reached"
        text = f"{self.mean:.{digits}f}"
        if not math.isnan(self.deviation):
            text += f" ± {self.deviation:.{digits}f}"
        return text if self.n == self.of else f"{text} ({self.n} of {self.of})"


@dataclass(frozen=True, slots=True)
class Paired:
    """How one arm differs from another over the seeds that both have.

    ``low`` and ``high`` hold the mean difference in 95 of 100 cases, and ``p`` is the chance of a
    difference as large where there is none, both by Student's t of pairs; ``better`` counts seeds.
    NaN where there are fewer than two pairs.
    """

    n: int
    difference: float
    low: float
    high: float
    p: float
    better: int

    @property
    def summary(self) -> str:
        """The difference in words."""
        if self.n == 0:
            return "no seed in common"
        text = f"{self.difference:+.3f}"
        if self.n > 1:
            text += f" ({self.low:+.3f} to {self.high:+.3f}), p {self.p:.3f}"
        return f"{text}, better in {self.better} of {self.n}"


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


def ratios_by_seed(
    ours: Mapping[int, float | None], theirs: Mapping[int, float | None]
) -> dict[int, float | None]:
    """Return what is ours over what is theirs, None where either is unknown."""
    pairs = {seed: (value, theirs.get(seed)) for seed, value in ours.items()}
    return {seed: a / b if a is not None and b else None for seed, (a, b) in pairs.items()}


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


def paired(one: Mapping[int, float | None], other: Mapping[int, float | None]) -> Paired:
    """Return how ``one`` differs from ``other`` over their common seeds."""
    differences = []
    for seed, value in one.items():
        beside = other.get(seed)
        if value is not None and beside is not None:
            differences.append(value - beside)
    n = len(differences)
    if n == 0:
        return Paired(0, math.nan, math.nan, math.nan, math.nan, 0)
    mean, better = float(np.mean(differences)), sum(d > 0 for d in differences)
    if n == 1:
        return Paired(1, mean, math.nan, math.nan, math.nan, better)
    error = float(np.std(differences, ddof=1)) / math.sqrt(n)
    if error == 0:
        return Paired(n, mean, mean, mean, 1.0 if mean == 0 else 0.0, better)
    reach = float(stats.t.ppf(0.975, n - 1)) * error
    p = 2 * float(stats.t.sf(abs(mean) / error, n - 1))
    return Paired(n, mean, mean - reach, mean + reach, p, better)


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
