"""What arms chose of a pool, as their first model saw it, and how alike that is.

How alike it is is written down when an arm is done, so that it is still known where a study goes on
without its projects.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.experiments.datasets.pools import original_of
from napari_active_seg.experiments.study.project_run import SEEN, arm_folder, start_folder
from napari_active_seg.experiments.study.seen_map import spread_of
from napari_active_seg.experiments.study.settings import ArmSettings, StudySettings
from napari_active_seg.project import Project

__all__ = ["ALIKE", "Alike", "Chosen", "alike_by", "chosen_by", "keep_alike"]

ALIKE = "alike.json"


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


@dataclass(frozen=True, slots=True)
class Alike:
    """How many images an arm chose, in its first batch and in all, and how far apart they lie.

    Distances are over what they are for as many at random, None for fewer than two images. ``new``
    is the share that is no copy of one before, None in a pool without copies.
    """

    n_first: int
    first_apart: float | None
    n_every: int
    every_apart: float | None
    new: float | None

    @staticmethod
    def of(chosen: Chosen) -> Alike:
        """Return how alike chosen images are."""
        first, every = (spread_of(chosen.seen, mask) for mask in (chosen.first, chosen.every))
        return Alike(
            n_first=int(chosen.first.sum()),
            first_apart=None if math.isnan(first) else first,
            n_every=int(chosen.every.sum()),
            every_apart=None if math.isnan(every) else every,
            new=chosen.new if chosen.has_copies else None,
        )


def keep_alike(study: StudySettings, out: Path, arm: ArmSettings, seed: int) -> None:
    """Write down how alike what an arm chose is, if that is known."""
    chosen = chosen_by(study, out, arm, seed)
    if chosen is not None:
        path = arm_folder(out, arm, seed) / ALIKE
        path.write_text(json.dumps(asdict(Alike.of(chosen))) + "\n", encoding="utf-8")


def alike_by(chosen: Chosen | None, out: Path, arm: ArmSettings, seed: int) -> Alike | None:
    """Return how alike what an arm chose is, or what was kept of it where that is not known."""
    if chosen is not None:
        return Alike.of(chosen)
    kept = arm_folder(out, arm, seed) / ALIKE
    return Alike(**json.loads(kept.read_text(encoding="utf-8"))) if kept.is_file() else None
