"""Automatic training, after a number of regions were finished since the last model."""

from __future__ import annotations

from napari_active_seg.jobs import JobKind
from napari_active_seg.project import Project
from napari_active_seg.session.state import SessionState

__all__ = ["AutoTrainTrigger"]


class AutoTrainTrigger:
    """Knows how many finished regions no model has learned from yet."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._asked_at = -1

    def new_since_last(self, state: SessionState) -> int:
        """Return how many regions of the pool were finished after the latest model began."""
        done = {queued.id for queued in state.done_in_pool}
        latest = max((model.created_at for model in state.models), default=float("-inf"))
        return sum(
            saved.region_id in done and saved.saved_at > latest
            for saved in self._project.labels.efforts()
        )

    def is_due(self, state: SessionState) -> bool:
        """Return whether an automatic training is due; True once for each time."""
        wanted = self._project.config.train_after
        if wanted == 0 or state.read_only or JobKind.TRAIN in state.jobs:
            return False
        n_done = len(state.done_in_pool)
        if self._asked_at >= 0 and n_done < self._asked_at + wanted:
            return False  # one was begun a moment ago: it was stopped, or was not the better one
        if self.new_since_last(state) < wanted:
            return False
        self._asked_at = n_done
        return True
