"""What scores cost: tables of a study's report in pixels, clicks and minutes, and areas."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from napari_active_seg.figures import Report
from napari_active_seg.studies.seed_statistics import Spread, compare_pairs
from napari_active_seg.studies.segmentation.record import ALL_LABELS, RoundRecord
from napari_active_seg.studies.segmentation.settings import StudySettings
from napari_active_seg.studies.segmentation.summary import (
    AXES,
    area_at,
    arms_of,
    costs_to_reach,
    least_common_budget,
    ratios_to_reach,
    reference_of,
    score_at,
)

__all__ = ["add_areas", "add_costs"]

_WHOLES = {
    "pixels": "pixels of the pool",
    "clicks": "clicks that all labels cost",
    "minutes": "minutes that all labels cost",
    "images": "images of the pool",
}


def add_costs(page: Report, study: StudySettings, records: Sequence[RoundRecord]) -> None:
    """Add what scores cost along the study's axis, and in minutes of the annotator.

    Nothing where a study names no score and its full-label score is not known.
    """
    axes = dict.fromkeys((study.axis, "minutes")) if _describe_levels(study, records) else ()
    for axis in axes:
        _costs(page, study, records, axis)
        _ratios(page, study, records, axis)


def _costs(page: Report, study: StudySettings, records: Sequence[RoundRecord], axis: str) -> None:
    """Add the cost of scores, as table 1 of the regions paper has it."""
    page.heading(f"Cost to reach a score: {AXES[axis]}")
    rows = []
    for arm in arms_of(records):
        costs = (
            costs_to_reach(records, arm, score=study.score, level=level, axis=axis)
            for level in _levels_of(study, records, arm)
        )
        rows.append((arm, *map(_spread, costs)))
    page.table(("", *_describe_levels(study, records)), rows)
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
        ratios = (
            ratios_to_reach(records, one, other, score=study.score, level=level, axis=axis)
            for level in _levels_of(study, records, one)
        )
        rows.append((f"{one} / {other}", *(_spread(r, 2) for r in ratios)))
    if rows:
        page.table((f"{axis} over {axis}", *_describe_levels(study, records)), rows)
        page.paragraph("Seed by seed, where both arms reached the score.")


def _levels_of(study: StudySettings, records: Sequence[RoundRecord], arm: str) -> list[float]:
    """Return the scores whose cost is reported, also shares of the arm's full-label score.

    A share of an unknown score is NaN, which no arm reaches.
    """
    full = reference_of(records, arm, study.score).mean
    return [*study.levels, *(share * full for share in _shares_of(study, records))]


def _describe_levels(study: StudySettings, records: Sequence[RoundRecord]) -> list[str]:
    levels = [f"{study.score} {level:g}" for level in study.levels]
    return [*levels, *(f"{share:.0%} of all labels" for share in _shares_of(study, records))]


def _shares_of(study: StudySettings, records: Sequence[RoundRecord]) -> tuple[float, ...]:
    known = any(record.arm == ALL_LABELS and study.score in record.scores for record in records)
    return study.shares if known else ()


def add_areas(page: Report, study: StudySettings, records: Sequence[RoundRecord]) -> None:
    """Add areas and scores, grouped by networks that are trained alike."""
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
                "" if arm == first else compare_pairs(scores[arm], scores[first]).summary,
            )
            for arm in names
        ],
    )


def _spread(values: dict[int, float | None], digits: int = 1) -> str:
    return Spread.over_seeds(values).describe(digits) if values else ""
