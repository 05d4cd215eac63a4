"""The report of a study of image classification: tables, curves, and the figures of the paper."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from napari_active_seg.figures import Report
from napari_active_seg.metrics import auc_at_budget
from napari_active_seg.studies.classification.binary_report import add_positives
from napari_active_seg.studies.classification.cost_report import add_costs
from napari_active_seg.studies.classification.curves import add_curves
from napari_active_seg.studies.classification.rounds import (
    Rounds,
    at_the_end,
    first_to_reach,
    over_random,
    runs_by_seed,
)
from napari_active_seg.studies.classification.settings import RANDOM, ClassificationStudy
from napari_active_seg.studies.paper_results import add_published
from napari_active_seg.studies.results import write_results
from napari_active_seg.studies.seed_statistics import Spread

__all__ = ["write_classification"]

_FACTS = (
    "arm", "seed", "round", "images", "share", "error", "nll", "brier", "ece", "loss", "decay",
    "cost", "auc", "positives", "distinct",
)  # fmt: skip


def write_classification(
    study: ClassificationStudy, rounds: Rounds, out: Path, *, device: str
) -> Report:
    """Write curves.csv, results.json and the report with its figures; return the page."""
    arms = list(dict.fromkeys(facts["arm"] for facts in rounds))
    reached = {
        arm: {f"{level:.0%}": Spread.over_seeds(first_to_reach(rounds, arm, level))
              for level in study.levels}
        for arm in arms
    }  # fmt: skip
    settings = json.loads(study.model_dump_json())
    settings.pop("root", None)
    found = {
        "settings": settings,
        "images to reach an error of": {
            arm: {name: asdict(spread) for name, spread in own.items()}
            for arm, own in reached.items()
        },
        "images over those of random": {
            arm: {f"{level:.0%}": asdict(over_random(rounds, arm, level)) for level in study.levels}
            for arm in arms
            if RANDOM in arms and arm != RANDOM
        },
        "seconds of a seed": {
            str(seed): round(sum(f["seconds"] for f in rounds if f["seed"] == seed))
            for seed in sorted({f["seed"] for f in rounds})
        },
        "rounds": [{k: v for k, v in facts.items() if k != "asked"} for facts in rounds],
    }
    write_results(out, device=device, columns=_FACTS, rows=rounds, found=found)
    page = _page(study, rounds, arms, reached, device)
    page.write_all(out)
    return page


def _page(
    study: ClassificationStudy,
    rounds: Rounds,
    arms: Sequence[str],
    reached: dict[str, dict[str, Spread]],
    device: str,
) -> Report:
    seeds = ", ".join(map(str, sorted({facts["seed"] for facts in rounds})))
    page = Report(study.title, f"Seeds {seeds}; {device}.")
    if study.changed:
        page.heading("What is not as in the paper")
        for line in study.changed:
            page.paragraph(line)
    if study.levels:
        _images_needed(page, study, rounds, arms, reached)
    if study.budget:
        _areas(page, study, rounds, arms)
    add_published(page, study.paper, title_end=":")
    for score, title in (("error", "Test error"), ("ece", "Calibration error (ECE)")):
        add_curves(page, study, rounds, arms, score, title)
    if study.positive is not None:
        add_positives(page, study, rounds, arms)
    if any("cost" in facts for facts in rounds):
        add_costs(page, study, rounds, arms)
    return page


def _images_needed(
    page: Report,
    study: ClassificationStudy,
    rounds: Rounds,
    arms: Sequence[str],
    reached: dict[str, dict[str, Spread]],
) -> None:
    """Add how many images arms needed, and their share of what random needed."""
    page.heading("Images needed")
    head = ("arm", *(f"error {level:.0%}" for level in study.levels), "error at the end")
    rows = []
    for arm in arms:
        end = at_the_end(rounds, arm, "error").times(100).describe(2)
        rows.append((arm, *(own.describe(0) for own in reached[arm].values()), f"{end} %"))
    page.table(head, rows)
    _over_random(page, study, rounds, arms)


def _areas(page: Report, study: ClassificationStudy, rounds: Rounds, arms: Sequence[str]) -> None:
    """Add the accuracy at the end and AUC@B, by equation 2 and as the paper prints it."""
    page.heading(f"Accuracy with up to {study.budget:,} labels")
    rows = []
    for arm in arms:
        runs = list(runs_by_seed(rounds, arm).values())
        areas = [_area(run, study, rounds) for run in runs]
        doubled = [None if area is None else 2 * area for area in areas]
        last = [100 * (1 - run[-1]["error"]) for run in runs]
        spreads = (Spread.over(last), Spread.over(areas), Spread.over(doubled))
        rows.append((arm, *(spread.describe(2) for spread in spreads)))
    page.table(("arm", "accuracy % at the end", "AUC@B", "AUC@B, doubled as in print"), rows)


def _area(run: list[dict[str, Any]], study: ClassificationStudy, rounds: Rounds) -> float | None:
    """Return AUC@B of one run; all labels hold their accuracy over the whole budget."""
    if len(run) == 1 and run[0]["images"] > study.budget:
        shares = sorted({f["share"] for f in rounds if f["images"] <= study.budget})
        return (
            auc_at_budget([shares[0], shares[-1]], [1 - run[0]["error"]] * 2)
            if len(shares) > 1
            else None
        )
    if len(run) < 2:
        return None
    return auc_at_budget([f["share"] for f in run], [1 - f["error"] for f in run])


def _over_random(
    page: Report, study: ClassificationStudy, rounds: Rounds, arms: Sequence[str]
) -> None:
    """Add how many images arms need for each that random needs, seed by seed."""
    if RANDOM not in arms or len(arms) < 2:
        return
    rows = []
    for arm in arms:
        if arm != RANDOM:
            shares = [over_random(rounds, arm, level) for level in study.levels]
            rows.append((arm, *(spread.describe(2) for spread in shares)))
    page.paragraph("Images needed, over those that random needs with the same seed:")
    page.table(("arm", *(f"error {level:.0%}" for level in study.levels)), rows)
