"""What a person's regions took, and what was learned from it last."""

from __future__ import annotations

from napari_active_seg.acquisition import LearnedCost, RegionKind
from napari_active_seg.project import Project
from napari_active_seg.regions import MaskedRegion, RegionState
from napari_active_seg.session.model_access.cache_key import prediction_key
from napari_active_seg.session.proposals.cost_model import CostExamples

__all__ = ["CostModelCache"]


class CostModelCache:
    """Keeps the learned cost for as long as nothing was added that it could learn from."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._latest: tuple[object, LearnedCost] | None = None
        self._pending: object = None

    @property
    def latest(self) -> LearnedCost | None:
        """What was learned last."""
        return None if self._latest is None else self._latest[1]

    @property
    def n_learned(self) -> int:
        """From how many regions that was."""
        return 0 if self._latest is None else self._latest[1].n_examples

    def n_examples(self) -> int:
        """Return how many finished regions of this person have a measured time."""
        return len(self._examples("s"))

    def examples(self, *, how: str, unit: str = "s") -> CostExamples:
        """Return the examples that there are now."""
        examples = self._examples(unit)
        model = self._project.models.in_use()
        key = None if model is None else prediction_key(self._project, model)
        self._pending = (how, unit, key, examples)
        return CostExamples(examples, network_first=how == "network", unit=unit)

    def take(self, learned: LearnedCost) -> None:
        """Keep the cost that was learned from the latest examples."""
        self._latest = (self._pending, learned)

    def known_or_examples(self, *, how: str, unit: str) -> LearnedCost | CostExamples:
        """Return the cost learned from all that there is, or the examples to learn it from."""
        examples = self.examples(how=how, unit=unit)
        if self._latest is not None and self._latest[0] == self._pending:
            return self._latest[1]
        return examples

    def _examples(self, unit: str) -> tuple[tuple[MaskedRegion, float], ...]:
        """Return the places that this person finished by hand, the oldest first, and the effort."""
        places = {
            queued.id: queued.place
            for queued in self._project.regions.queue()
            if queued.state is RegionState.DONE and queued.kind is not RegionKind.IMPORTED
        }
        own = self._project.config.annotator
        found = []
        for saved in self._project.labels.efforts():
            spent = saved.effort.active_s if unit == "s" else float(saved.effort.clicks)
            if saved.annotator == own and saved.region_id in places and spent > 0:
                found.append((places[saved.region_id], float(spent)))
        return tuple(found)
