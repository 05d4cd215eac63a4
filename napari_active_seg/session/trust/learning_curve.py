"""How a project's models grew with labels, and whether more of them are worth it."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from napari_active_seg.errors import BadInputError
from napari_active_seg.metrics import CurveFit, StopAdvice, advise_on_stopping, fit_curve
from napari_active_seg.project import Project, Split
from napari_active_seg.regions import Coverage
from napari_active_seg.session.trust.store import AGREED

__all__ = ["LearningCurve", "LearningPoint", "Spending", "learning_curve"]

_MORE_MINUTES = 10.0
#: Where no time is known: so much more of what is labelled.
_MORE_SHARE = 0.25
#: A curve over time needs the time of most of what was labelled.
_LEAST_TIMED = 0.5


@dataclass(frozen=True, slots=True)
class LearningPoint:
    """One model: what was labelled when it was trained, and how it does on the validation."""

    model_id: str
    pixels: int
    minutes: float
    score: float


@dataclass(frozen=True, slots=True)
class LearningCurve:
    """The points, the curves through them where there are enough, and the advice.

    ``unit`` is "minutes" where people's seconds are known, else "pixels". ``agreements`` are kappas
    of each model with the one before.
    """

    points: tuple[LearningPoint, ...]
    unit: str
    fit: CurveFit | None
    agreements: tuple[float, ...]
    advice: StopAdvice
    step: float = 0.0  #: how much more the forecast is for, in ``unit``

    @property
    def x(self) -> tuple[float, ...]:
        """What was spent until each point, in ``unit``."""
        return tuple(p.minutes if self.unit == "minutes" else float(p.pixels) for p in self.points)


def learning_curve(project: Project, *, unit: str | None = None) -> LearningCurve:
    """Return the curve of a project's models on the fixed validation, and what it foretells.

    Over minutes of labelling where most of them were measured, else over pixels, unless told.
    """
    points, timed = _points(project)
    timed = timed and unit != "pixels"
    unit = "minutes" if timed else "pixels"
    agreements = tuple(float(str(e.facts["kappa"])) for e in project.events.named(AGREED))
    curve = LearningCurve(points, unit, None, agreements, StopAdvice("unclear", ""))
    x, scores = curve.x, [point.score for point in points]
    now = x[-1] if x else 0.0
    step = _MORE_MINUTES if timed else _MORE_SHARE * now
    words = "ten more minutes" if timed else f"{_MORE_SHARE:.0%} more labels".replace("%", " %")
    try:
        fit = fit_curve(x, scores)
        advice = advise_on_stopping(fit.forecast(now, now + step), agreements, step=words)
    except BadInputError as error:
        advice = advise_on_stopping(None, agreements, step=words, missing=str(error))
        return LearningCurve(points, unit, None, agreements, advice, step)
    return LearningCurve(points, unit, fit, agreements, advice, step)


class Spending:
    """What had been labelled of the pool at any time, read once."""

    def __init__(self, project: Project) -> None:
        pool = {ref.id for ref in project.images.all(Split.POOL)}
        places = {
            queued.id: queued.place
            for queued in project.regions.queue()
            if queued.region.image_id in pool
        }
        saves = [save for save in project.labels.saves() if save.region_id in places]
        coverage = Coverage()
        first: set[str] = set()
        new: list[int] = []
        for save in saves:
            known = save.region_id in first
            new.append(0 if known else coverage.add_place(places[save.region_id]))
            first.add(save.region_id)
        self._at = [save.saved_at for save in saves]
        self._pixels = np.cumsum([0, *new])
        self._seconds = np.cumsum([0.0, *(save.effort.active_s for save in saves)])
        timed = {save.region_id for save in saves if save.effort.active_s > 0}
        self.is_timed = bool(first) and len(timed) >= _LEAST_TIMED * len(first)

    def until(self, at: float) -> tuple[int, float]:
        """Return how many pixels had been labelled at a time, and in how many minutes."""
        n = bisect_right(self._at, at)
        return int(self._pixels[n]), float(self._seconds[n]) / 60


def _points(project: Project) -> tuple[tuple[LearningPoint, ...], bool]:
    """Return a point for each model with a score, and whether time is known for most labels."""
    spending = Spending(project)
    points: list[LearningPoint] = []
    for model in project.models.all():
        score = model.metrics.get("mean_dice")
        if score is None:
            continue
        pixels, minutes = spending.until(model.created_at)
        if pixels and (not points or pixels > points[-1].pixels):
            points.append(LearningPoint(model.id, pixels, minutes, score))
    grows = all(a.minutes < b.minutes for a, b in pairwise(points))
    return tuple(points), spending.is_timed and grows and bool(points) and points[0].minutes > 0
