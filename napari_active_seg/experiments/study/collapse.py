"""Do batches collapse onto images that are alike? Maps of what arms chose, and how alike it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from napari_active_seg.experiments.study.chosen import Alike, Chosen, alike_by, chosen_by
from napari_active_seg.experiments.study.project_run import start_folder
from napari_active_seg.experiments.study.seen_map import draw_seen, flattened
from napari_active_seg.experiments.study.settings import StudySettings
from napari_active_seg.experiments.study.tables import Spread
from napari_active_seg.figures import Report

__all__ = ["add_collapse"]

_NEW = (
    " New: of the chosen ones, in per cent, how many photographs were not labelled before, in "
    "themselves or in a copy; two copies of one count once."
)


def add_collapse(page: Report, study: StudySettings, out: Path) -> None:
    """Add maps of what arms chose with one seed, and over all seeds how alike that is."""
    chosen = {
        (arm.name, seed): chosen_by(study, out, arm, seed)
        for arm in study.arms
        for seed in study.seeds
    }
    alike = {
        arm.name: [alike_by(chosen[arm.name, seed], out, arm, seed) for seed in study.seeds]
        for arm in study.arms
    }
    found = {name: runs for name, runs in alike.items() if any(runs)}
    if not found:
        return
    page.heading("Do batches collapse onto images that are alike?")
    _add_maps(page, study, out, chosen)
    _add_table(page, found)


def _add_maps(
    page: Report,
    study: StudySettings,
    out: Path,
    chosen: Mapping[tuple[str, int], Chosen | None],
) -> None:
    """Add the pool as first models see it, with the first seed of which the projects are there."""
    by_start: dict[Path, dict[str, Chosen]] = {}
    for seed in study.seeds:
        for arm in study.arms:
            run = chosen[arm.name, seed]
            if run is not None:
                by_start.setdefault(start_folder(study, out, arm, seed), {})[arm.name] = run
        if by_start:
            break
    for runs in by_start.values():
        places = flattened(next(iter(runs.values())).seen)
        figure = draw_seen(places, {name: run.first for name, run in runs.items()})
        names = ", ".join(runs)
        page.chart(figure, f"The pool as the first model of {names} sees it (seed {seed})")
    if by_start:
        page.paragraph("Orange: the first batch that each arm chose.")


def _add_table(page: Report, found: Mapping[str, Sequence[Alike | None]]) -> None:
    copies = any(run is not None and run.new is not None for runs in found.values() for run in runs)
    head = ["", "images in the first batch", "apart", "images in all", "apart"]
    rows = [
        [
            name,
            _spread(runs, lambda run: run.n_first, 0),
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
    runs: Sequence[Alike | None],
    value: Callable[[Alike], float | None],
    digits: int,
    *,
    of: float = 1.0,
) -> str:
    """Return the spread over seeds; "" where nothing is known."""
    spread = Spread.over([None if run is None else value(run) for run in runs]).times(of)
    return spread.words(digits) if spread.n else ""
