"""A study as one HTML page: accuracy, cost, calibration and choice, with the paper's figures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from napari_active_seg._version import __version__
from napari_active_seg.calibration import ReliabilityBins, SelectedAndRest
from napari_active_seg.errors import BadInputError
from napari_active_seg.experiments.published import PUBLISHED
from napari_active_seg.experiments.study.curves import in_groups, study_curves
from napari_active_seg.experiments.study.record import ALL_LABELS, RoundRecord
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
    runs_of,
    score_at,
)
from napari_active_seg.figures import (
    Curve,
    Report,
    draw_grouped_panels,
    draw_groups,
    draw_reliability,
    draw_selected_and_rest,
)

__all__ = ["study_report"]

_CALIBRATION = {
    "nll": "NLL (nats)",
    "ece": "ECE",
    "brier": "Brier (0 to 2)",
    "brier_reliability": "reliability of Brier",
}
_WHOLES = {
    "pixels": "pixels of the pool",
    "clicks": "clicks that all labels cost",
    "minutes": "minutes that all labels cost",
    "images": "images of the pool",
}
_SCORES = {"mean_dice": "mean Dice", "mean_jaccard": "mean Jaccard", "object_f1": "object F1"}
_N_BINS = 15


def study_report(
    study: StudySettings, records: Sequence[RoundRecord], *, device: str, notes: Sequence[str] = ()
) -> Report:
    """Return the page of a study's records."""
    if not arms_of(records):
        raise BadInputError("a study without a round has nothing to report")
    seeds = sorted({r.seed for r in records if r.arm != ALL_LABELS})
    page = Report(
        study.title or study.name,
        f"Study {study.name}, napari-active-seg {__version__}, {device}; seeds "
        f"{', '.join(map(str, seeds))}. Bands and ± are one standard deviation over seeds.",
    )
    if len(seeds) < 3:
        page.paragraph("Fewer than three seeds: a direction, no result.")
    for line in (*study.changed, *notes):
        page.paragraph(line)
    _accuracy(page, study, records)
    for axis in dict.fromkeys((study.axis, "minutes")):
        _costs(page, study, records, axis)
        _ratios(page, study, records, axis)
    _areas(page, study, records)
    _published(page, study)
    _calibration(page, records, study)
    _selected(page, records)
    _training(page, records)
    _every_point(page, study, records)
    return page


def _accuracy(page: Report, study: StudySettings, records: Sequence[RoundRecord]) -> None:
    page.heading("Accuracy as more is labelled")
    full = {
        f"all labels ({spread.words(3)})": spread.mean
        for arm in arms_of(records)
        if (spread := reference_of(records, arm, study.score)).n
    }
    names = {study.score: study.score.replace("/", " of "), **_SCORES}
    for score, words in names.items():
        curves = study_curves(records, score, axis=study.axis)
        if curves:
            lines = full if score == study.score else {}
            groups = _grouped(study, curves)
            drawn = draw_groups(groups, x_title=AXES[study.axis], y_title=words, lines=lines)
            width = 470 if len(groups) == 1 else None
            page.chart(drawn, f"{words} on the test images", width=width)
    aside = max((record.validation_share for record in records), default=0.0)
    page.paragraph(
        "Labelled pixels are counted once, in shares of the pixels of the pool whose truth is "
        + (
            f"known; validation images, {aside:.1%} of the pool beside it, are not among them."
            if aside
            else "known; no validation image was used."
        )
    )


def _grouped(study: StudySettings, curves: Sequence[Curve]) -> list[list[Curve]]:
    """Return curves by what their arms start from, since those differ by their choice alone."""
    return in_groups(curves, {arm.name: study.start_of(arm) for arm in study.arms})


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


def _areas(page: Report, study: StudySettings, records: Sequence[RoundRecord]) -> None:
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


def _published(page: Report, study: StudySettings) -> None:
    table = PUBLISHED.get(study.paper)
    if table is not None:
        page.heading("What the paper has")
        page.paragraph(table.title)
        page.table(table.head, table.rows)


def _calibration(page: Report, records: Sequence[RoundRecord], study: StudySettings) -> None:
    page.heading("Calibration as more is labelled")
    panels = {
        words: study_curves(records, key, axis=study.axis) for key, words in _CALIBRATION.items()
    }
    known = {words: _grouped(study, curves) for words, curves in panels.items() if curves}
    if known:
        drawn = draw_grouped_panels(known, x_title=AXES[study.axis])
        page.chart(drawn, "NLL, ECE, Brier score and its reliability: low is good")
    for arm in arms_of(records):
        runs = list(runs_of(records, arm).values())
        for words, at in (("first", 0), ("last", -1)):
            rows = [row for run in runs for row in run[at].reliability]
            if rows:
                drawn = draw_reliability(_bins_of(rows), title=f"{arm}, {words} round")
                page.chart(drawn, f"{arm}: the {words} round", width=270, dpi=80)


def _bins_of(rows: Sequence[tuple[float, float, int]]) -> ReliabilityBins:
    """Return bins out of rows of mean confidence, accuracy and pixels."""
    counts, sums, hits = np.zeros((3, _N_BINS))
    for confidence, accuracy, n in rows:
        k = min(max(math.ceil(confidence * _N_BINS) - 1, 0), _N_BINS - 1)
        counts[k] += n
        sums[k] += n * confidence
        hits[k] += n * accuracy
    return ReliabilityBins(counts.astype(np.int64), sums, np.rint(hits).astype(np.int64))


def _selected(page: Report, records: Sequence[RoundRecord]) -> None:
    """Add how uncertain what was selected is, as figure 4 of the regions paper has it."""
    chosen = [record for record in records if sum(record.selected)]
    if not chosen:
        return
    page.heading("How uncertain are the pixels that were selected?")
    rows = []
    for arm in arms_of(chosen):
        own = [record for record in chosen if record.arm == arm]
        bound, measure = own[0].bound, own[0].measure
        bins = SelectedAndRest(
            bound,
            np.sum([r.selected for r in own], axis=0).astype(np.int64),
            np.sum([r.rest for r in own], axis=0).astype(np.int64),
        )
        drawn = draw_selected_and_rest(bins, measure=f"{measure}, {arm}")
        page.chart(drawn, f"{arm}, all rounds and seeds", width=310, dpi=80)
        low = [float(counts[:4].sum() / counts.sum()) for counts in (bins.selected, bins.rest)]
        rows.append((arm, measure, *bins.means, *(100 * share for share in low)))
    page.table(
        ("", "measure", "mean, selected", "mean, rest",
         "% of selected below a tenth of the bound", "% of the rest below"),
        rows,
    )  # fmt: skip


def _training(page: Report, records: Sequence[RoundRecord]) -> None:
    """Add what tells whether trainings had come to an end."""
    known = [record for record in records if len(record.losses) == 10]
    if not known:
        return
    page.heading("Had the trainings come to an end?")
    rows = []
    for arm in dict.fromkeys(record.arm for record in known):
        losses = np.mean([r.losses for r in known if r.arm == arm], axis=0)
        rows.append((arm, *(float(losses[k]) for k in (0, 4, 7, 8, 9)),
                     float(100 * (losses[8] - losses[9]) / losses[8])))  # fmt: skip
    page.table(("", "first tenth", "5th", "8th", "9th", "last", "last below the 9th, %"), rows)
    page.paragraph(
        "Mean training loss of tenths of the steps, over rounds and seeds. Where the learning rate "
        "falls to nothing, losses stand still at the end however much more steps would have "
        "brought: an arm that ends higher than others may need more of them."
    )


def _every_point(page: Report, study: StudySettings, records: Sequence[RoundRecord]) -> None:
    page.heading("Every point")
    names = [study.score, *(n for n in (*_SCORES, *_CALIBRATION) if n != study.score)]
    there = [name for name in names if any(name in record.scores for record in records)]
    page.table(
        ("arm", "seed", "round", "regions", "% labelled", "clicks", "minutes", *there),
        [
            (
                r.arm, r.seed, r.round, r.regions, 100 * r.labelled_share, r.clicks,
                r.seconds / 60, *(r.scores.get(name, "") for name in there),
            )
            for r in records
        ],
    )  # fmt: skip


def _spread(values: dict[int, float | None], digits: int = 1) -> str:
    return Spread.over(list(values.values())).words(digits) if values else ""
