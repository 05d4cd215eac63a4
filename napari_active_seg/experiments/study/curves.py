"""Curves of a study: what each arm has reached over what was spent, in groups that can be read."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

from napari_active_seg.experiments.study.record import RoundRecord
from napari_active_seg.experiments.study.tables import arms_of, cost_of, runs_of
from napari_active_seg.figures import Curve

__all__ = ["in_groups", "study_curves"]

#: So many curves with their bands can be told apart in one picture.
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
