"""Do batches collapse onto images that are alike? Maps of what arms chose, and how alike it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from napari_active_seg.figures import Report
from napari_active_seg.studies.seed_statistics import Spread
from napari_active_seg.studies.segmentation.embedding_map import draw_seen, kept_map
from napari_active_seg.studies.segmentation.run_base import arm_folder, start_folder
from napari_active_seg.studies.segmentation.selection_summary import SelectionSummary
from napari_active_seg.studies.segmentation.settings import StudySettings

__all__ = ["add_collapse"]

_NEW = (
    " New: of the chosen ones, in per cent, how many photographs were not labelled before, in "
    "themselves or in a copy; two copies of one count once."
)


def add_collapse(page: Report, study: StudySettings, out: Path) -> None:
    """Add maps of what arms chose with one seed, and over all seeds how alike that is."""
    choices = {
        arm.name: {seed: SelectionSummary.read(arm_folder(out, arm, seed)) for seed in study.seeds}
        for arm in study.arms
    }
    found = {name: list(runs.values()) for name, runs in choices.items() if any(runs.values())}
    if not found:
        return
    page.heading("Do batches collapse onto images that are alike?")
    _add_maps(page, study, out, choices)
    _add_table(page, found)


def _add_maps(
    page: Report,
    study: StudySettings,
    out: Path,
    choices: Mapping[str, Mapping[int, SelectionSummary | None]],
) -> None:
    """Add the pool as first models see it, with the first seed of which that is known."""
    for seed in study.seeds:
        by_start: dict[Path, dict[str, SelectionSummary]] = {}
        for arm in study.arms:
            choice = choices[arm.name][seed]
            if choice is not None:
                by_start.setdefault(start_folder(study, out, arm, seed), {})[arm.name] = choice
        known = [(kept_map(start), runs) for start, runs in by_start.items()]
        for places, runs in known:
            if places is not None:
                numbers = np.arange(len(places))
                first = {name: np.isin(numbers, run.first) for name, run in runs.items()}
                words = f"The pool as the first model of {', '.join(runs)} sees it (seed {seed})"
                page.chart(draw_seen(places, first), words)
        if any(places is not None for places, _ in known):
            page.paragraph("Orange: the first batch that each arm chose.")
            return


def _add_table(page: Report, found: Mapping[str, Sequence[SelectionSummary | None]]) -> None:
    copies = any(run is not None and run.new is not None for runs in found.values() for run in runs)
    head = ["", "images in the first batch", "apart", "images in all", "apart"]
    rows = [
        [
            name,
            _spread(runs, lambda run: len(run.first), 0),
            _spread(runs, lambda run: run.first_apart, 2),
            _spread(runs, lambda run: run.n_every, 0),
            _spread(runs, lambda run: run.every_apart, 2),
            *([_spread(runs, lambda run: run.new, 0, of=100)] if copies else []),
        ]
        for name, runs in found.items()
    ]
    page.table([*head, *(["% new"] if copies else [])], rows)
    page.paragraph(
        "Apart: how far a chosen image lies from the nearest other, as the first model sees them, "
        "over what that is for as many drawn at random. A batch that collapsed is far below 1."
        + (_NEW if copies else "")
    )


def _spread(
    runs: Sequence[SelectionSummary | None],
    value: Callable[[SelectionSummary], float | None],
    digits: int,
    *,
    of: float = 1.0,
) -> str:
    """Return the spread over seeds; "" where nothing is known."""
    spread = Spread.over([None if run is None else value(run) for run in runs]).times(of)
    return spread.describe(digits) if spread.n else ""
