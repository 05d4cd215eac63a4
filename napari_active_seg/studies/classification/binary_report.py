"""How a study of two classes ranks the positive one, and how many of it each step acquired."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mean, stdev

from napari_active_seg.figures import Report
from napari_active_seg.studies.classification.curves import add_curves
from napari_active_seg.studies.classification.rounds import Rounds, runs_by_seed
from napari_active_seg.studies.classification.settings import (
    ALL,
    RANDOM,
    ClassificationStudy,
)

__all__ = ["add_positives"]


def add_positives(
    page: Report, study: ClassificationStudy, rounds: Rounds, arms: Sequence[str]
) -> None:
    """Add how well positives are ranked, how many were acquired, and how much of the pool ties."""
    by_measure = {arm.name: arm.measure for arm in study.arms}
    asking = [arm for arm in arms if by_measure[arm] != ALL]
    ranking = [arm for arm in asking if by_measure[arm] != RANDOM]
    add_curves(page, study, rounds, arms, "auc", "Area under the ROC curve")
    add_curves(page, study, rounds, asking, "positives", "Positive images labelled")
    steps = sorted({facts["round"] for facts in rounds})
    for words, seeds in _parts(study, rounds).items():
        page.paragraph(f"{words}: mean and standard error at each step.")
        own = [facts for facts in rounds if facts["seed"] in seeds]
        page.table(
            ("arm", "score", *(f"step {step}" for step in steps)),
            [
                (arm, title, *(_with_error(own, arm, score, step) for step in steps))
                for arm in arms
                for score, title in (("auc", "AUC"), ("positives", "positives"))
            ],
        )
    page.heading("How much of the pool ties")
    page.paragraph(
        "Share of the waiting images whose value differs from all others to four digits; near 0 an "
        "arm draws among equals."
    )
    page.table(
        ("arm", *(f"step {step}" for step in steps[:-1])),
        [
            (arm, *(_with_error(rounds, arm, "distinct", step) for step in steps[:-1]))
            for arm in ranking
        ],
    )


def _parts(study: ClassificationStudy, rounds: Rounds) -> dict[str, list[int]]:
    """Return groups of seeds: all, and those of each split of the test images."""
    seeds = sorted({facts["seed"] for facts in rounds})
    parts = {"All seeds": seeds}
    if study.splits > 1:
        for split in range(study.splits):
            own = [seed for seed in seeds if seed % study.splits == split]
            if own:
                parts[f"Test split {split + 1}, seeds {', '.join(map(str, own))}"] = own
    return parts


def _with_error(rounds: Rounds, arm: str, score: str, step: int) -> str:
    """Return mean and standard error over seeds; a dash where nothing was measured."""
    runs = runs_by_seed(rounds, arm).values()
    found = [f[score] for run in runs for f in run if f["round"] == step and score in f]
    if not found:
        return "-"
    if len(found) < 2:
        return f"{found[0]:.3g}"
    return f"{mean(found):.3g} ± {stdev(found) / len(found) ** 0.5:.2g}"
