"""Summaries of a curve over a growing budget: AUC@B and score@B of Mittal et al. 2025.

Equation 2 sums (b_{i+1} - b_i) (p_i + p_{i+1}) / 2 with the budget b as a fraction of all images
and the score p in per cent: its rows for 100 % of the labels show so. Its tables for CIFAR and
A2D2-3K print exactly twice that, which ``auc_at_budget_doubled`` gives.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from napari_active_seg.errors import BadInputError

__all__ = ["auc_at_budget", "auc_at_budget_doubled", "budget_to_reach", "score_at_budget"]


def auc_at_budget(
    budgets: Sequence[float], scores: Sequence[float], *, most: float | None = None
) -> float:
    """Return AUC@B by equation 2, from budgets in 0..1 and scores in 0..1.

    Points beyond the budget ``most`` are left out, and the curve is cut there on a straight line
    between its neighbours; None takes all that there is.
    """
    b, p = _check_curve(budgets, scores)
    if most is not None:
        at = score_at_budget(budgets, scores, most)
        kept = b < most
        b, p = np.append(b[kept], most), np.append(p[kept], at)
    return float((np.diff(b) * (p[:-1] + p[1:])).sum() / 2 * 100)


def auc_at_budget_doubled(
    budgets: Sequence[float], scores: Sequence[float], *, most: float | None = None
) -> float:
    """Return twice ``auc_at_budget``, to compare with published tables of that form."""
    return 2 * auc_at_budget(budgets, scores, most=most)


def score_at_budget(budgets: Sequence[float], scores: Sequence[float], budget: float) -> float:
    """Return the score at a budget, on a straight line between the two nearest points.

    BadInputError if the curve does not reach so far: nothing is made up beyond its ends.
    """
    b, p = _check_curve(budgets, scores)
    if not b[0] <= budget <= b[-1]:
        raise BadInputError(
            f"the curve goes from {b[0]:g} to {b[-1]:g}; it does not reach a budget of {budget:g}"
        )
    return float(np.interp(budget, b, p))


def budget_to_reach(
    budgets: Sequence[float], scores: Sequence[float], score: float
) -> float | None:
    """Return the first budget at which a point reaches a score; None if none does.

    The budget of that point itself, as the papers' tables give it: nothing is interpolated.
    """
    b, p = _check_curve(budgets, scores)
    reached = np.flatnonzero(p >= score)
    return float(b[reached[0]]) if len(reached) else None


def _check_curve(
    budgets: Sequence[float], scores: Sequence[float]
) -> tuple[np.ndarray[tuple[int], np.dtype[np.float64]], ...]:
    b, p = np.asarray(budgets, np.float64), np.asarray(scores, np.float64)
    if b.ndim != 1 or b.shape != p.shape or len(b) == 0:
        raise BadInputError("a curve has as many budgets as scores, and one point at least")
    if (np.diff(b) <= 0).any():
        raise BadInputError("the budgets of a curve must grow from point to point")
    return b, p
