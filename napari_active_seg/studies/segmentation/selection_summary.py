"""What arms chose of a pool, as their first model saw it, and how alike that is.

It is written down as a study runs, so that it is still known without the projects.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_active_seg._util.atomic_write import atomic_write
from napari_active_seg.project import QueuedRegion
from napari_active_seg.studies.datasets.redundancy import original_of
from napari_active_seg.studies.segmentation.embedding_map import spread_of

__all__ = ["CHOICE", "Chosen", "SelectionSummary"]

CHOICE = "choice.json"


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

    @staticmethod
    def of(
        queue: Iterable[QueuedRegion], ids: NDArray[np.str_], seen: NDArray[np.floating]
    ) -> Chosen | None:
        """Return what was asked for in a project; None where nothing was so far."""
        queue = tuple(queue)
        asked = [queued for queued in queue if queued.proposal is not None]
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
        return Chosen(ids, seen, given, first_batch, every)

    @property
    def has_copies(self) -> bool:
        """Whether there are copies in the pool."""
        return len(set(self._originals)) < len(self.ids)

    @property
    def new(self) -> float:
        """The share of chosen images that are not copies of an image chosen with them or before."""
        before = set(self._originals[self.given])
        after = set(self._originals[self.given | self.every])
        return len(after - before) / int(self.every.sum())

    @property
    def _originals(self) -> NDArray[np.str_]:
        return np.array([original_of(str(one)) for one in self.ids])


@dataclass(frozen=True, slots=True)
class SelectionSummary:
    """Which images of a pool an arm chose first, how many in all, and how far apart they lie.

    ``first`` counts along the pool. Distances are over what they are for as many at random, None
    for fewer than two images. ``new`` is the share that is not a copy of one before, None in a pool
    without copies.
    """

    first: tuple[int, ...]
    first_apart: float | None
    n_every: int
    every_apart: float | None
    new: float | None

    @staticmethod
    def of(chosen: Chosen) -> SelectionSummary:
        """Return the summary of chosen images."""
        first, every = (spread_of(chosen.seen, mask) for mask in (chosen.first, chosen.every))
        return SelectionSummary(
            first=tuple(np.flatnonzero(chosen.first).tolist()),
            first_apart=None if math.isnan(first) else first,
            n_every=int(chosen.every.sum()),
            every_apart=None if math.isnan(every) else every,
            new=chosen.new if chosen.has_copies else None,
        )

    def write(self, folder: Path) -> None:
        """Write it into the folder of an arm."""
        with atomic_write(folder / CHOICE) as begun:
            begun.write_text(json.dumps(asdict(self)) + "\n", encoding="utf-8")

    @staticmethod
    def read(folder: Path) -> SelectionSummary | None:
        """Return what was written for an arm; None where nothing was."""
        path = folder / CHOICE
        if not path.is_file():
            return None
        facts = json.loads(path.read_text(encoding="utf-8"))
        return SelectionSummary(**{**facts, "first": tuple(facts["first"])})
