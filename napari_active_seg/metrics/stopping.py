"""Whether labelling on is worth it: what the learning curve and the models' agreement say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from napari_active_seg.metrics.learning_curve import Forecast

__all__ = ["StopAdvice", "advise_on_stopping"]

#: Successive models that agree so far beyond chance, three times running, have stopped changing.
_STABLE_KAPPA, _STABLE_TIMES = 0.99, 3
#: Less than this is no gain that anybody could tell from another seed.
_WORTH_IT = 0.005


@dataclass(frozen=True, slots=True)
class StopAdvice:
    """``verdict`` is "go on", "may stop" or "cannot tell", with its reason in ``words``."""

    verdict: str
    summary: str


def advise_on_stopping(
    forecast: Forecast | None, agreements: Sequence[float], *, step: str, missing: str = ""
) -> StopAdvice:
    """Return the advice from the forecast for one more ``step`` and the models' agreement.

    ``agreements`` are kappas of each model with the one before it, on the pool, the latest last;
    ``missing`` says why there is no forecast. Stopping is advised where the forecast's upper limit
    is no gain worth having, or where it leaves that open and models have stopped to change.
    """
    latest = list(agreements)[-_STABLE_TIMES:]
    stable = len(latest) == _STABLE_TIMES and min(latest) >= _STABLE_KAPPA
    said = ""
    if agreements:
        said = f"; the last two models agree on the pool with kappa {agreements[-1]:.3f}"
    if forecast is None:
        if stable:
            return StopAdvice(
                "may stop",
                f"successive models agree on the pool with kappa {_STABLE_KAPPA} or more, "
                f"{_STABLE_TIMES} times running",
            )
        return StopAdvice("cannot tell", f"{missing}{said}".strip("; ") or "nothing is known yet")
    words = f"{step}: {forecast.summary}{said}"
    if forecast.high < _WORTH_IT:
        return StopAdvice("may stop", f"{words}. That is less than another seed changes")
    if forecast.gain >= _WORTH_IT:
        return StopAdvice("go on", words)
    if stable:
        return StopAdvice("may stop", f"{words}, {_STABLE_TIMES} times running")
    return StopAdvice("cannot tell", f"{words}. The gain may be worth it, or nothing")
