"""The rounds of a study that are done, as facts by name, and what can be read off them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from napari_active_seg.studies.classification.settings import RANDOM
from napari_active_seg.studies.seed_statistics import Spread, ratios_by_seed

__all__ = ["Rounds", "at_the_end", "first_to_reach", "over_random", "runs_by_seed"]

Rounds = Sequence[dict[str, Any]]


def runs_by_seed(rounds: Rounds, arm: str) -> dict[int, list[dict[str, Any]]]:
    """Return the rounds of an arm, seed by seed."""
    found: dict[int, list[dict[str, Any]]] = {}
    for facts in rounds:
        if facts["arm"] == arm:
            found.setdefault(facts["seed"], []).append(facts)
    return found


def at_the_end(rounds: Rounds, arm: str, score: str) -> Spread:
    """Return a score of an arm's last rounds, over seeds."""
    return Spread.over([run[-1][score] for run in runs_by_seed(rounds, arm).values()])


def first_to_reach(
    rounds: Rounds, arm: str, level: float, *, paid: str = "images"
) -> dict[int, float | None]:
    """Return by seed what was ``paid`` when the error first fell to ``level``, None if never."""
    return {
        seed: next((float(facts[paid]) for facts in run if facts["error"] <= level), None)
        for seed, run in runs_by_seed(rounds, arm).items()
    }


def over_random(rounds: Rounds, arm: str, level: float, *, paid: str = "images") -> Spread:
    """Return what an arm paid for an error over what random paid, seed by seed."""
    ours, drawn = (first_to_reach(rounds, name, level, paid=paid) for name in (arm, RANDOM))
    return Spread.over_seeds(ratios_by_seed(ours, drawn))
