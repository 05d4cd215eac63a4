"""A study as one HTML page: accuracy, cost, calibration and choice, with the paper's figures."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from napari_active_seg._version import __version__
from napari_active_seg.calibration import ReliabilityBins, SelectedAndRest
from napari_active_seg.errors import BadInputError
from napari_active_seg.figures import (
    Curve,
    Report,
    draw_grouped_panels,
    draw_groups,
    draw_reliability,
    draw_selected_and_rest,
)
from napari_active_seg.studies.paper_results import add_published
from napari_active_seg.studies.segmentation.cost_report import add_areas, add_costs
from napari_active_seg.studies.segmentation.curves import full_label_lines, in_groups, study_curves
from napari_active_seg.studies.segmentation.record import ALL_LABELS, RoundRecord
from napari_active_seg.studies.segmentation.settings import StudySettings
from napari_active_seg.studies.segmentation.summary import AXES, arms_of, runs_of

__all__ = ["study_report"]

_CALIBRATION = {
    "nll": "NLL (nats)",
    "ece": "ECE",
    "brier": "Brier (0 to 2)",
    "brier_reliability": "reliability of Brier",
}
_SCORES = {"mean_dice": "mean Dice", "mean_jaccard": "mean Jaccard", "object_f1": "object F1"}
_N_BINS = 15
#: The number of seeds that a band needs.
_ENOUGH = 3


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
    few = [arm for arm in arms_of(records) if len(runs_of(records, arm)) < _ENOUGH]
    if len(few) == len(arms_of(records)):
        page.paragraph("Fewer than three seeds: a direction, no result.")
    elif few:
        page.paragraph(f"Of fewer than three seeds, a direction and no result: {', '.join(few)}.")
    for line in (*study.changed, *notes):
        page.paragraph(line)
    _accuracy(page, study, records)
    add_costs(page, study, records)
    add_areas(page, study, records)
    add_published(page, study.paper, heading="What the paper has")
    _calibration(page, records, study)
    _selected(page, records)
    _training(page, records)
    _every_point(page, study, records)
    return page


def _accuracy(page: Report, study: StudySettings, records: Sequence[RoundRecord]) -> None:
    page.heading("Accuracy as more is labelled")
    full = full_label_lines(records, study.score)
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


def _calibration(page: Report, records: Sequence[RoundRecord], study: StudySettings) -> None:
    page.heading("Calibration as more is labelled")
    panels = {
        words: study_curves(records, key, axis=study.axis) for key, words in _CALIBRATION.items()
    }
    groups = _grouped(study, max(panels.values(), key=len))
    known = {
        words: [[_of_the_same(one, curves) for one in group] for group in groups]
        for words, curves in panels.items()
        if curves
    }
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


def _of_the_same(arm: Curve, curves: Sequence[Curve]) -> Curve:
    """Return the curve of the same arm, else an empty one: every arm keeps its style."""
    return next((curve for curve in curves if curve.label == arm.label), Curve(arm.label, [], []))


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
    """Add the mean losses of training, which show whether it was long enough."""
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
