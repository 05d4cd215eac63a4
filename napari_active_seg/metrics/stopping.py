"""Advice on stopping, from the learning curve and the agreement of successive models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from napari_active_seg.metrics.learning_curve import Forecast

__all__ = ["StopAdvice", "advise_on_stopping"]

#: Successive models that agree so far beyond chance, three times running, have stopped changing.
_STABLE_KAPPA, _STABLE_TIMES = 0.99, 3
#: A smaller gain cannot be distinguished from a change of seed.
_WORTH_IT = 0.005


@dataclass(frozen=True, slots=True)
class StopAdvice:
    """``verdict`` is "continue", "may stop" or "unclear", with its reason in ``summary``."""

    verdict: str
    summary: str


def advise_on_stopping(
    forecast: Forecast | None, agreements: Sequence[float], *, step: str, missing: str = ""
) -> StopAdvice:
    """Advise on stopping, by the forecast for one more ``step`` and the models' agreement.

    ``agreements`` are kappas of each model with the one before it, on the pool, the latest last;
    ``missing`` is why there is no forecast. Stopping is advised where the forecast's upper limit
    is too small a gain, or where that is open and successive models agree.
    """
    latest = list(agreements)[-_STABLE_TIMES:]
    stable = len(latest) == _STABLE_TIMES and min(latest) >= _STABLE_KAPPA
    agreement = ""
    if agreements:
        agreement = f"; the last two models agree on the pool with kappa {agreements[-1]:.3f}"
    if forecast is None:
        if stable:
            return StopAdvice(
                "may stop",
                f"successive models agree on the pool with kappa {_STABLE_KAPPA} or more, "
                f"{_STABLE_TIMES} times running",
            )
        return StopAdvice("unclear", f"{missing}{agreement}".strip("; ") or "nothing is known yet")
    summary = f"{step}: {forecast.summary}{agreement}"
    if forecast.high < _WORTH_IT:
        return StopAdvice("may stop", f"{summary}. That is less than another seed changes")
    if forecast.gain >= _WORTH_IT:
        return StopAdvice("continue", summary)
    if stable:
        return StopAdvice("may stop", f"{summary}, {_STABLE_TIMES} times running")
    return StopAdvice("unclear", f"{summary}. The gain may be worth it, or nothing")
