"""A study as one HTML page: accuracy, cost and calibration over rounds, for each strategy."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from napari_active_seg._version import __version__
from napari_active_seg.errors import BadInputError
from napari_active_seg.experiments.curve_point import CurvePoint
from napari_active_seg.figures import Curve, HtmlReport, draw_curves, draw_panels, figure_png
from napari_active_seg.metrics import auc_at_budget, auc_at_budget_doubled, budget_to_reach

__all__ = ["study_curves", "study_report", "write_study_report"]

_LEVELS = (0.70, 0.75, 0.80, 0.85, 0.90)
_ACCURACY = {
    "mean_dice": "pixel F1 (mean Dice)",
    "mean_jaccard": "mean Jaccard",
    "object_f1": "object F1",
}
_CALIBRATION = {
    "nll": "NLL (nats)",
    "ece": "ECE",
    "brier": "Brier (0 to 2)",
    "brier_reliability": "reliability of Brier",
}


def study_curves(points: Sequence[CurvePoint], key: str) -> list[Curve]:
    """Return a score of each strategy over the labelled share in per cent.

    Several seeds of a strategy become their mean, with a band of one standard deviation.
    """
    curves = []
    for strategy in dict.fromkeys(point.strategy for point in points):
        own = [p for p in points if p.strategy == strategy and key in p.scores]
        runs = []
        for seed in dict.fromkeys(point.seed for point in own):
            run = sorted((p for p in own if p.seed == seed), key=lambda p: p.round)
            runs.append(([100 * p.labelled_share for p in run], [p.scores[key] for p in run]))
        shortest = min((len(x) for x, _ in runs), default=0)
        if shortest:
            cut = [(x[:shortest], y[:shortest]) for x, y in runs]
            curves.append(Curve.over_runs(strategy, cut))
    return curves


def write_study_report(points: Sequence[CurvePoint], title: str, path: Path) -> None:
    """Write the page."""
    study_report(points, title).write(path)


def study_report(points: Sequence[CurvePoint], title: str) -> HtmlReport:
    """Return the page of a study's points."""
    if not points:
        raise BadInputError("a study without a point has nothing to report")
    seeds = len({point.seed for point in points})
    report = HtmlReport(title, f"Study, napari-active-seg {__version__}; {seeds} seed(s)")
    report.heading("Accuracy as more is labelled")
    for key, name in _ACCURACY.items():
        curves = study_curves(points, key)
        if curves:
            drawn = draw_curves(curves, x_title="% of the pool's pixels labelled", y_title=name)
            report.picture(figure_png(drawn), f"{name} on the test images", width=470)
    report.table(
        ("strategy", "seed", "AUC of mean Dice", "twice that", *(f"{x:.0%}" for x in _LEVELS)),
        [_row(points, strategy, seed) for strategy, seed in _runs(points)],
    )
    report.paragraph(
        "AUC: equation 2 of Mittal et al. 2025, budgets as fractions and scores in per cent; its "
        "CIFAR and A2D2-3K tables print twice that. The last columns are the per cent of pixels at "
        "which a mean Dice was first reached."
    )
    report.heading("Calibration as more is labelled")
    panels = {name: study_curves(points, key) for key, name in _CALIBRATION.items()}
    known = {name: curves for name, curves in panels.items() if curves}
    if known:
        drawn = draw_panels(known, x_title="% labelled")
        report.picture(figure_png(drawn), "NLL, ECE, Brier score and its reliability: low is good")
    report.heading("Every point")
    names = [k for k in ("mean_dice", "mean_jaccard", "nll", "ece", "brier") if _known(points, k)]
    report.table(
        ("strategy", "measure", "seed", "round", "regions", "% labelled", *names),
        [
            (
                p.strategy, p.measure, p.seed, p.round, p.regions, 100 * p.labelled_share,
                *(p.scores.get(name, "") for name in names),
            )
            for p in points
        ],
    )  # fmt: skip
    return report


def _known(points: Sequence[CurvePoint], key: str) -> bool:
    return any(key in point.scores for point in points)


def _runs(points: Sequence[CurvePoint]) -> list[tuple[str, int]]:
    return list(dict.fromkeys((point.strategy, point.seed) for point in points))


def _row(points: Sequence[CurvePoint], strategy: str, seed: int) -> tuple[object, ...]:
    own = [p for p in points if (p.strategy, p.seed) == (strategy, seed)]
    run = sorted((p for p in own if "mean_dice" in p.scores), key=lambda p: p.round)
    shares, scores = [p.labelled_share for p in run], [p.scores["mean_dice"] for p in run]
    grows = all(a < b for a, b in pairwise(shares))
    if not run or not grows:
        return (strategy, seed, "", "", *("" for _ in _LEVELS))
    reached = (budget_to_reach(shares, scores, level) for level in _LEVELS)
    return (
        strategy,
        seed,
        auc_at_budget(shares, scores),
        auc_at_budget_doubled(shares, scores),
        *("" if share is None else 100 * share for share in reached),
    )
