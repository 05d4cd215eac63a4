"""What scores cost: tables of a study's report in pixels, clicks and minutes, and areas."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from napari_active_seg.experiments.study.record import RoundRecord
from napari_active_seg.experiments.study.settings import StudySettings
from napari_active_seg.experiments.study.tables import (
    AXES,
    Spread,
    area_at,
    arms_of,
    costs_to_reach,
    least_common_budget,
    paired,
    ratios_to_reach,
    reference_of,
    score_at,
)
from napari_active_seg.figures import Report

__all__ = ["add_areas", "add_costs"]

_WHOLES = {
    "pixels": "pixels of the pool",
    "clicks": "clicks that all labels cost",
    "minutes": "minutes that all labels cost",
    "images": "images of the pool",
}


def add_costs(page: Report, study: StudySettings, records: Sequence[RoundRecord]) -> None:
    """Add what scores cost along the study's axis, and in minutes of the annotator."""
    for axis in dict.fromkeys((study.axis, "minutes")):
        _costs(page, study, records, axis)
        _ratios(page, study, records, axis)


def _costs(page: Report, study: StudySettings, records: Sequence[RoundRecord], axis: str) -> None:
    """Add the cost of scores, as table 1 of the regions paper has it."""
    page.heading(f"Cost to reach a score: {AXES[axis]}")
    arms = arms_of(records)
    rows = []
    for level in study.levels:
        costs = [
            costs_to_reach(records, arm, score=study.score, level=level, axis=axis) for arm in arms
        ]
        rows.append((f"{study.score} {level:g}", *(_spread(c) for c in costs)))
    for share in study.shares:
        cells = []
        for arm in arms:
            full = reference_of(records, arm, study.score)
            if not full.n:
                cells.append("")
                continue
            level = share * full.mean
            cells.append(
                _spread(costs_to_reach(records, arm, score=study.score, level=level, axis=axis))
            )
        if any(cells):
            rows.append((f"{share:.0%} of all labels", *cells))
    page.table(("", *arms), rows)
    page.paragraph(
        "The first round that reached the score counts, nothing is interpolated; seeds that never "
        "did are left out of the mean and counted."
    )
    if axis == "minutes":
        clock = study.annotator
        page.paragraph(
            f"A region or an image takes the annotator {clock.base_s:g} s, a click "
            f"{clock.per_click_s:g} s and a thousand pixels {1000 * clock.per_pixel_s:g} s: "
            "a clock that was set, not measured on a person."
        )


def _ratios(page: Report, study: StudySettings, records: Sequence[RoundRecord], axis: str) -> None:
    """Add what a score costs one arm over what it costs another, for the pairs of the study."""
    there = set(arms_of(records))
    rows = []
    for one, other in study.pairs:
        if not {one, other} <= there:
            continue
        cells = []
        full = reference_of(records, one, study.score)
        shares = [share * full.mean for share in study.shares if full.n]
        for level in (*study.levels, *shares):
            ratios = ratios_to_reach(records, one, other, score=study.score, level=level, axis=axis)
            cells.append(_spread(ratios, 2))
        rows.append((f"{one} / {other}", *cells))
    if rows:
        names = [f"{study.score} {level:g}" for level in study.levels]
        names += [f"{share:.0%} of all labels" for share in study.shares][: len(cells) - len(names)]
        page.table((f"{axis} over {axis}", *names), rows)
        page.paragraph("Seed by seed, where both arms reached the score.")


def add_areas(page: Report, study: StudySettings, records: Sequence[RoundRecord]) -> None:
    """Add areas and scores, networks that are trained alike beside each other."""
    page.heading("Areas under the curves, and pairs")
    networks: dict[str, list[str]] = {}
    by_name = {arm.name: arm for arm in study.arms}
    for name in arms_of(records):
        key = study.network_of(by_name[name]) if name in by_name else ""
        networks.setdefault(key, []).append(name)
    for budget in study.budgets or (least_common_budget(records, axis=study.axis),):
        for names in networks.values():
            _area_table(page, study, records, names, budget)
    page.paragraph(
        f"Budgets are per cent of the {_WHOLES[study.axis]}. AUC: equation 2 of Mittal et al. "
        "2025, budgets as fractions and scores in per cent, from the largest start of any arm on; "
        "its CIFAR and A2D2-3K tables print twice that. The last "
        "column pairs seeds: mean difference of the score, 95 % interval and p by Student's t, and "
        "how many seeds were better. Networks that are trained alike stand together."
    )


def _area_table(
    page: Report,
    study: StudySettings,
    records: Sequence[RoundRecord],
    names: Sequence[str],
    budget: float,
) -> None:
    asked: dict[str, Any] = {"score": study.score, "budget": budget, "axis": study.axis}
    areas = {a: area_at(records, a, **asked) for a in names}
    scores = {a: score_at(records, a, **asked) for a in names}
    percent, first = f"{100 * budget:.1f}", names[0]
    page.table(
        ("", f"AUC@{percent}", "doubled", f"{study.score}@{percent}", f"beside {first}"),
        [
            (
                arm,
                _spread(areas[arm], 3),
                _spread({k: None if v is None else 2 * v for k, v in areas[arm].items()}, 3),
                _spread(scores[arm], 3),
                "" if arm == first else paired(scores[arm], scores[first]).words,
            )
            for arm in names
        ],
    )


def _spread(values: dict[int, float | None], digits: int = 1) -> str:
    return Spread.over(list(values.values())).words(digits) if values else ""
