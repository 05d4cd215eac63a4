"""A score of a study of whole images over the images that are labelled."""

from __future__ import annotations

from collections.abc import Sequence

from napari_active_seg.figures import Curve, Report, draw_curves
from napari_active_seg.studies.classification.rounds import Rounds, runs_by_seed
from napari_active_seg.studies.classification.settings import ClassificationStudy

__all__ = ["add_curves"]


def add_curves(
    page: Report,
    study: ClassificationStudy,
    rounds: Rounds,
    arms: Sequence[str],
    score: str,
    title: str,
) -> None:
    """Add a score over labelled images, an arm a curve; an arm that has all labels is a line."""
    page.heading(title)
    curves, lines = [], {}
    for arm in arms:
        runs = runs_by_seed(rounds, arm).values()
        if all(len(run) == 1 for run in runs) and study.rounds:
            lines[f"{arm} labels"] = sum(run[0][score] for run in runs) / len(runs)
            continue
        points = [([f["images"] for f in run], [f[score] for f in run]) for run in runs]
        curves.append(Curve.over_runs(arm, points))
    figure = draw_curves(
        curves, x_title="labelled images", y_title=title, lines=lines, footnote=study.footnote
    )
    words = f"{title}, mean over seeds with its band"
    page.chart(figure, f"{words} ({study.footnote})" if study.footnote else words)
