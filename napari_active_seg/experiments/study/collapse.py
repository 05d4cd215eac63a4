"""Do batches collapse onto images that are alike? Maps of what arms chose, and how alike it is."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.experiments.datasets.pools import original_of
from napari_active_seg.experiments.study.project_run import SEEN, arm_folder, start_folder
from napari_active_seg.experiments.study.seen_map import draw_seen, flattened, spread_of
from napari_active_seg.experiments.study.settings import ArmSettings, StudySettings
from napari_active_seg.experiments.study.tables import Spread
from napari_active_seg.figures import Report
from napari_active_seg.project import Project

__all__ = ["Chosen", "add_collapse", "chosen_by"]

_NEW = (
    " New: of the chosen ones, in per cent, how many photographs were not labelled before, in "
    "themselves or in a copy; two copies of one count once."
)


@dataclass(frozen=True, slots=True, eq=False)
class Chosen:
    """What an arm chose of the images ``ids`` (N,) of a pool that its first model saw at ``seen``.

    ``given`` are those that it began with, ``first`` its first batch, ``every`` all its batches.
    """

    ids: NDArray[np.str_]
    seen: NDArray[np.floating]
    given: NDArray[np.bool_]
    first: NDArray[np.bool_]
    every: NDArray[np.bool_]

    @property
    def has_copies(self) -> bool:
        """Whether there are copies in the pool."""
        return len(set(self._originals)) < len(self.ids)

    @property
    def new(self) -> float:
        """The share of what was chosen that is no copy of an image chosen with it or before."""
        before = set(self._originals[self.given])
        after = set(self._originals[self.given | self.every])
        return len(after - before) / int(self.every.sum())

    @property
    def _originals(self) -> NDArray[np.str_]:
        return np.array([original_of(str(one)) for one in self.ids])


def chosen_by(study: StudySettings, out: Path, arm: ArmSettings, seed: int) -> Chosen | None:
    """Return what an arm chose; None where that is not known, or where it chose nothing so far."""
    kept = start_folder(study, out, arm, seed) / SEEN
    project = arm_folder(out, arm, seed) / "project"
    if not kept.is_file() or not project.is_dir():
        return None
    with np.load(kept) as seen:
        ids, places = seen["ids"], seen["seen"]
    with Project.open(project, read_only=True) as opened:
        queue = opened.regions.queue()
    asked = [q for q in queue if q.proposal is not None]
    if not asked:
        return None
    first = min(queued.round for queued in asked)
    given, first_batch, every = (
        np.isin(ids, [queued.region.image_id for queued in some])
        for some in (
            [queued for queued in queue if queued.proposal is None],
            [queued for queued in asked if queued.round == first],
            asked,
        )
    )
    return Chosen(ids, places, given, first_batch, every)


def add_collapse(page: Report, study: StudySettings, out: Path) -> None:
    """Add maps of what arms chose with the first seed, and over all seeds how alike that is."""
    runs_of_arms = {
        arm.name: [chosen_by(study, out, arm, seed) for seed in study.seeds] for arm in study.arms
    }
    found = {name: runs for name, runs in runs_of_arms.items() if any(runs)}
    if not found:
        return
    page.heading("Do batches collapse onto images that are alike?")
    shown = study.seeds[0]
    by_start: dict[Path, dict[str, Chosen]] = {}
    for arm in study.arms:
        run = runs_of_arms[arm.name][0]
        if run is not None:
            by_start.setdefault(start_folder(study, out, arm, shown), {})[arm.name] = run
    for runs in by_start.values():
        places = flattened(next(iter(runs.values())).seen)
        figure = draw_seen(places, {name: run.first for name, run in runs.items()})
        names = ", ".join(runs)
        page.chart(figure, f"The pool as the first model of {names} sees it (seed {shown})")
    page.paragraph("Orange: the first batch that each arm chose.")
    _add_table(page, found)


def _add_table(page: Report, found: Mapping[str, Sequence[Chosen | None]]) -> None:
    copies = any(run is not None and run.has_copies for runs in found.values() for run in runs)
    head = ["", "images in the first batch", "apart", "images in all", "apart"]
    rows = [
        [
            name,
            _spread(runs, lambda run: int(run.first.sum()), 0),
            _spread(runs, lambda run: spread_of(run.seen, run.first), 2),
            _spread(runs, lambda run: int(run.every.sum()), 0),
            _spread(runs, lambda run: spread_of(run.seen, run.every), 2),
            *([_spread(runs, lambda run: 100 * run.new, 0)] if copies else []),
        ]
        for name, runs in found.items()
    ]
    page.table([*head, *(["% new"] if copies else [])], rows)
    page.paragraph(
        "Apart: how far a chosen image lies from the nearest other, as the first model sees them, "
        "over what that is for as many drawn at random. A batch that collapsed is far below 1."
        + (_NEW if copies else "")
    )


def _spread(runs: Sequence[Chosen | None], value: Callable[[Chosen], float], digits: int) -> str:
    values = [math.nan if run is None else value(run) for run in runs]
    spread = Spread.over([None if math.isnan(one) else one for one in values])
    return spread.words(digits) if spread.n else ""
