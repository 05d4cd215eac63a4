"""Curves of a study: what each arm has reached over what was spent, in groups that can be read."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

from napari_active_seg.figures import Curve
from napari_active_seg.studies.segmentation.record import ALL_LABELS, RoundRecord
from napari_active_seg.studies.segmentation.summary import arms_of, cost_of, reference_of, runs_of

__all__ = ["full_label_lines", "in_groups", "study_curves"]

#: The most curves with bands that can be distinguished in one picture.
_MOST = 6


def study_curves(
    records: Sequence[RoundRecord], score: str, *, axis: str = "pixels"
) -> list[Curve]:
    """Return a score of each arm over what was spent, as the mean over seeds with a band."""
    curves = []
    for arm in arms_of(records):
        runs = []
        for run in runs_of(records, arm).values():
            known = [record for record in run if score in record.scores]
            if known:
                x = [cost_of(record, axis) for record in known]
                runs.append((x, [record.scores[score] for record in known]))
        shortest = min((len(x) for x, _ in runs), default=0)
        if shortest:
            curves.append(Curve.over_runs(arm, [(x[:shortest], y[:shortest]) for x, y in runs]))
    return curves


def full_label_lines(records: Sequence[RoundRecord], score: str) -> dict[str, float]:
    """Return what all labels give, by words that name the first arm of a network if others differ.

    An arm of a network that was not trained on all labels has no line.
    """
    first_of: dict[str, str] = {}
    for record in records:
        if record.arm != ALL_LABELS:
            first_of.setdefault(record.family, record.arm)
    known = {
        arm: spread for arm in first_of.values() if (spread := reference_of(records, arm, score)).n
    }
    return {
        f"all labels{f', {arm}' if len(known) > 1 else ''} ({spread.describe(3)})": spread.mean
        for arm, spread in known.items()
    }


def in_groups(curves: Sequence[Curve], shared: Mapping[str, Hashable]) -> list[list[Curve]]:
    """Return all curves together, or in groups of at most six where they are more.

    Curves whose labels have the same in ``shared`` stand together; groups of these are of one size,
    as far as that goes.
    """
    if len(curves) <= _MOST:
        return [list(curves)]
    together: dict[Hashable, list[Curve]] = {}
    for curve in curves:
        together.setdefault(shared.get(curve.label), []).append(curve)
    groups = []
    for own in together.values():
        size = -(-len(own) // -(-len(own) // _MOST))
        groups += [own[at : at + size] for at in range(0, len(own), size)]
    return groups
