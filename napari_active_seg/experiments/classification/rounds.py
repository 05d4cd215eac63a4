"""The rounds of a study that are done, as facts by name, and what can be read off them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

__all__ = ["Rounds", "first_to_reach", "runs_by_seed"]

Rounds = Sequence[dict[str, Any]]


def runs_by_seed(rounds: Rounds, arm: str) -> dict[int, list[dict[str, Any]]]:
    """Return the rounds of an arm, seed by seed."""
    found: dict[int, list[dict[str, Any]]] = {}
    for facts in rounds:
        if facts["arm"] == arm:
            found.setdefault(facts["seed"], []).append(facts)
    return found


def first_to_reach(
    rounds: Rounds, arm: str, level: float, *, paid: str = "images"
) -> dict[int, float | None]:
    """Return by seed what was ``paid`` when the error first fell to ``level``, None if never."""
    return {
        seed: next((float(facts[paid]) for facts in run if facts["error"] <= level), None)
        for seed, run in runs_by_seed(rounds, arm).items()
    }
