"""Which kind of method is best in which scenario, recomputed from our own studies.

After table 8 of Mittal et al. 2025: Random, Single (the best single images) or Batch (images that
are unlike each other), each with or without learning from images without labels (SSL).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from napari_active_seg.acquisition import get_strategy
from napari_active_seg.studies.seed_statistics import Spread
from napari_active_seg.studies.segmentation import RoundRecord, StudySettings
from napari_active_seg.studies.segmentation.settings import ArmSettings
from napari_active_seg.studies.segmentation.summary import (
    area_at,
    arms_of,
    least_common_budget,
    score_at,
)

__all__ = ["KindScore", "kind_of", "kinds_by_area"]


@dataclass(frozen=True, slots=True)
class KindScore:
    """A kind of method with the best of its arms: AUC@B and score@B of each seed."""

    kind: str
    arm: str
    areas: Mapping[int, float | None]
    scores: Mapping[int, float | None]

    @property
    def area(self) -> Spread:
        """AUC@B over seeds."""
        return Spread.over_seeds(self.areas)

    @property
    def score(self) -> Spread:
        """The score at B over seeds."""
        return Spread.over_seeds(self.scores)


def kind_of(study: StudySettings, arm: ArmSettings) -> str:
    """Return Random, Single or Batch, with -SSL where images without labels are learned from."""
    strategy = get_strategy(arm.strategy).with_changes(**arm.parts)
    if strategy.is_chance or strategy.draws == "even":
        kind = "Random"
    else:
        kind = "Single" if strategy.diversity == "none" else "Batch"
    learns = study.settings_of(arm).get("semi_supervised", "off") != "off"
    return f"{kind}-SSL" if learns else kind


def kinds_by_area(
    study: StudySettings, records: Sequence[RoundRecord], *, budget: float | None = None
) -> tuple[KindScore, ...]:
    """Return the kinds with their best arm by AUC@B, the best kind first.

    Networks with dropout are compared among themselves: those of the family that has the most arms
    are taken.
    """
    there = set(arms_of(records))
    arms = [arm for arm in study.arms if arm.name in there]
    families: dict[str, list[ArmSettings]] = {}
    for arm in arms:
        families.setdefault(study.network_of(arm), []).append(arm)
    most = max(families.values(), key=len, default=[])
    at = least_common_budget(records, axis=study.axis) if budget is None else budget
    best: dict[str, KindScore] = {}
    for arm in most:
        areas, scores = (
            measure(records, arm.name, score=study.score, budget=at, axis=study.axis)
            for measure in (area_at, score_at)
        )
        found = KindScore(kind_of(study, arm), arm.name, areas, scores)
        if found.area.n and (
            found.kind not in best or found.area.mean > best[found.kind].area.mean
        ):
            best[found.kind] = found
    return tuple(sorted(best.values(), key=lambda one: -one.area.mean))
