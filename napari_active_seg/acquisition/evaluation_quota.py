"""Regions that are drawn rather than chosen: how many are due, and how many are still needed.

*Control* squares lie on pool images; the model in use is measured on each before its label enters
training. *Validation* and *test* squares lie on images that are never trained on. All are drawn
uniformly over tissue, so that scores hold for the pool and not for a model's choice.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["EvaluationQuotas", "Quota", "control_due", "required_sample_size", "validation_due"]

#: A mean score is to be known to so much either way, in 95 of 100 cases.
HALF_WIDTH = 0.1
#: The assumed spread of a score between squares while too few are known to estimate it.
_GUESSED_SPREAD, _FEW = 0.25, 5
#: Fewer squares give no estimate, however alike they are.
_LEAST = 10


@dataclass(frozen=True, slots=True)
class Quota:
    """How many there are and are needed in all; ``possible`` is False without free space.

    ``waiting`` are in the queue and not done yet.
    """

    have: int
    needed: int
    possible: bool = True
    waiting: int = 0

    @property
    def missing(self) -> int:
        """How many are still needed."""
        return max(0, self.needed - self.have) if self.possible else 0


@dataclass(frozen=True, slots=True)
class EvaluationQuotas:
    """What of each kind there is, and is still needed."""

    control: Quota
    validation: Quota
    test: Quota

    @property
    def summary(self) -> str:
        """How many there are of those that are needed, in a sentence."""
        parts = []
        counted = [
            f"{tally.have} {name} regions (enough)"
            if not tally.missing
            else f"{tally.have} of {tally.needed} {name} regions"
            for name, tally in (
                ("control", self.control),
                ("validation", self.validation),
                ("test", self.test),
            )
            if tally.possible
        ]
        if counted:
            parts.append(f"labelled for an unbiased score: {', '.join(counted)}")
        if not self.validation.possible and self.validation.have == 0:
            parts.append("no image is set aside for validation, so models cannot be compared")
        return "; ".join(parts)


def required_sample_size(scores: Sequence[float], *, half_width: float = HALF_WIDTH) -> int:
    """Return how many scores are needed to estimate their mean within ``half_width``.

    (1.96 s / h)^2 after the spread s of those that are known; a guess of it while few are.
    """
    spread = float(np.std(scores, ddof=1)) if len(scores) >= _FEW else _GUESSED_SPREAD
    return max(_LEAST, math.ceil((1.96 * spread / half_width) ** 2))


def control_due(share: float, chosen: int, drawn: int, *, count: int) -> int:
    """Return how many of the next ``count`` regions are to be control squares.

    ``chosen`` and ``drawn`` count all regions of earlier rounds with a model, and the control
    squares among them. What small rounds owe adds up, and one region at least is chosen.
    """
    owed = math.floor(share * (chosen + count) + 1e-9) - drawn
    return min(max(owed, 0), max(count - 1, 0)) if share > 0 else 0


def validation_due(share: float, proposed: int, tally: Quota, *, count: int) -> int:
    """Return how many of the next ``count`` regions are to be squares for validation or test.

    One at least while any is needed and none waits: without them nothing can be compared.
    """
    missing = tally.missing - tally.waiting
    if share == 0 or missing <= 0:
        return 0
    owed = math.floor(share * (proposed + count) + 1e-9) - tally.have - tally.waiting
    return min(max(owed, 0 if tally.waiting else 1), missing, max(count - 1, 0))
