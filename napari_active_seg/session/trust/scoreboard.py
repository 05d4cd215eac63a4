"""What is known of each model, from which labels, and how far that can be trusted."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from napari_active_seg.acquisition import RegionKind
from napari_active_seg.calibration import (
    DrawnUnits,
    effective_size,
    is_balanced,
    lure_weights,
    weighted_mean,
    why_not_estimable,
)
from napari_active_seg.errors import BadInputError
from napari_active_seg.metrics import LEAST_IMAGES, EvalReport, Interval, report_from_facts
from napari_active_seg.project import OFFERED_EVENT, ModelRecord, Project, QueuedRegion
from napari_active_seg.regions import RegionState
from napari_active_seg.session.model_access.model_records import load_evaluation
from napari_active_seg.session.training.control_regions import CONTROL_EVENT

__all__ = ["ScoreRow", "control_report", "scoreboard"]

#: Draws of fewer equally weighed units in effect say too little to be shown as an estimate.
_LEAST_EFFECTIVE = 3.0
#: So many models before the latest two are shown with the regions that were drawn for them.
_MOST_EARLIER = 2


@dataclass(frozen=True, slots=True)
class ScoreRow:
    """What one kind of labels says of one model.

    ``intervals`` are figures with their limits; ``words`` say whether they can be trusted, or why
    there are none.
    """

    model_id: str
    source: str
    n_images: int
    n_places: int
    summary: str
    intervals: Mapping[str, Interval] = field(default_factory=dict)


def scoreboard(
    project: Project, models: Sequence[ModelRecord] | None = None
) -> tuple[ScoreRow, ...]:
    """Return what is known of models (of the one in use and the one before, unless told)."""
    queue = {queued.id: queued for queued in project.regions.queue()}
    fresh = _measured_before_training(project)
    rows: list[ScoreRow] = []
    latest = _latest(project) if models is None else tuple(models)
    for model in latest:
        rows += _set_aside(project, model)
    for model in _with_drawn(project, latest, fresh) if models is None else models:
        measured = fresh.get(model.id, {})
        rows += _of_controls(model, measured, queue)
        rows += _of_draws(project, model, measured, queue)
    if models is None:
        rows += _of_all_controls(fresh, queue)
    return tuple(rows)


def control_report(project: Project, model_id: str | None = None) -> EvalReport | None:
    """Return how a model did on control squares, those of one image together; None without.

    Without ``model_id`` all of them, each by the model that was in use before it was learned from.
    """
    queue = {queued.id: queued for queued in project.regions.queue()}
    fresh = _measured_before_training(project)
    of = fresh.values() if model_id is None else [fresh.get(model_id, {})]
    reports = [r for measured in of for i, r in measured.items() if _is_control(queue.get(i))]
    return _together(reports) if reports else None


def _latest(project: Project) -> tuple[ModelRecord, ...]:
    """Return the model in use and the one that was trained before it."""
    models = project.models.all()
    in_use = next((k for k, m in enumerate(models) if m.in_use), None)
    return () if in_use is None else models[max(0, in_use - 1) : in_use + 1][::-1]


def _with_drawn(
    project: Project,
    latest: Sequence[ModelRecord],
    fresh: Mapping[str, Mapping[str, EvalReport]],
) -> list[ModelRecord]:
    """Return the latest models, and before them those that were measured on drawn regions."""
    others = [m for m in reversed(project.models.all()) if m.id in fresh and m not in latest]
    return [*latest, *others[:_MOST_EARLIER]]


def _of_all_controls(
    fresh: Mapping[str, Mapping[str, EvalReport]], queue: Mapping[str, QueuedRegion]
) -> list[ScoreRow]:
    """Return all control squares together, where several models were measured on some."""
    of = {
        model_id: [r for i, r in measured.items() if _is_control(queue.get(i))]
        for model_id, measured in fresh.items()
    }
    names = sorted(model_id for model_id, reports in of.items() if reports)
    if len(names) < 2:
        return []
    reports = [report for name in names for report in of[name]]
    words = "each square by the model that was in use before it was learned from"
    together = _together(reports)
    return [
        _row(f"{names[0]} to {names[-1]}", "all control squares", together, len(reports), words)
    ]


def _set_aside(project: Project, model: ModelRecord) -> list[ScoreRow]:
    rows = []
    for is_test, source, words in (
        (False, "validation", "fixed once; models are kept or dropped by it, so a little too good"),
        (True, "test", "never used to choose anything: the last word"),
    ):
        report = load_evaluation(project, model.id, is_test=is_test)
        if report is not None:
            rows.append(_row(model.id, source, report, len(report.images), words))
    return rows


def _of_controls(
    model: ModelRecord, measured: Mapping[str, EvalReport], queue: Mapping[str, QueuedRegion]
) -> list[ScoreRow]:
    reports = [r for i, r in measured.items() if _is_control(queue.get(i))]
    if not reports:
        return []
    words = "drawn evenly over the tissue, and measured before they were learned from"
    return [_row(model.id, "control squares", _together(reports), len(reports), words)]


def _of_draws(
    project: Project,
    model: ModelRecord,
    measured: Mapping[str, EvalReport],
    queue: Mapping[str, QueuedRegion],
) -> list[ScoreRow]:
    """Return the importance-weighted estimate of each round that this model was measured on."""
    rounds: dict[str, list[QueuedRegion]] = defaultdict(list)
    for queued in queue.values():
        chosen = queued.kind in (RegionKind.CHOSEN, RegionKind.RANDOM)
        if queued.proposal is not None and chosen:
            rounds[queued.proposal].append(queued)
    rows = [
        _weighted(project, model, uid, regions, measured)
        for uid, regions in rounds.items()
        if any(region.id in measured for region in regions)
    ]
    any_chosen = any(r.kind is RegionKind.CHOSEN for regions in rounds.values() for r in regions)
    if not rows and model.in_use and any_chosen:
        words = _no(why_not_estimable(DrawnUnits((None,), (0,))))
        rows.append(ScoreRow(model.id, "chosen regions", 0, 0, words))
    return rows


def _weighted(
    project: Project,
    model: ModelRecord,
    uid: str,
    regions: Sequence[QueuedRegion],
    measured: Mapping[str, EvalReport],
) -> ScoreRow:
    drawn = _drawn_units(project, uid, regions, measured)
    source = f"drawn regions, round {regions[0].round}"
    there = [measured[region.id] for region in regions if region.id in measured]
    images = len({region.region.image_id for region in regions if region.id in measured})
    reason = why_not_estimable(drawn)
    if reason is not None:
        return ScoreRow(model.id, source, images, len(there), _no(reason))
    weights = lure_weights(drawn)
    effective = effective_size(weights)
    intervals = {}
    for name, of in _LOSSES.items():
        mean, low, high = weighted_mean([of(report) for report in there], weights)
        if not is_balanced(weights):
            low = high = math.nan
        if name == "accuracy":
            mean, low, high = 1 - mean, 1 - high, 1 - low
        intervals[name] = Interval(mean, low, high)
    words = (
        f"chosen, but drawn: weighed by the recorded probabilities (LURE), {len(there)} regions "
        f"count as {effective:.1f} even ones, and hold for {drawn.covered:.0%} of the free tissue"
    ).replace("%", " %")
    if effective < _LEAST_EFFECTIVE:
        words += "; too few to be trusted"
    if not is_balanced(weights):
        words += (
            f"; no limits: the weights add up to {100 * weights.mean():.0f} % of the pool, so that "
            "what had little chance is not told by these draws"
        )
    return ScoreRow(model.id, source, images, len(there), words, intervals)


def _drawn_units(
    project: Project,
    uid: str,
    regions: Sequence[QueuedRegion],
    measured: Mapping[str, EvalReport],
) -> DrawnUnits:
    """Return how a round was drawn; evenly drawn windows are units that all weigh the same."""
    offered = next((e.facts for e in project.events.of(uid, what=OFFERED_EVENT)), {})
    chances = tuple(region.draw_probability for region in regions)
    drawn_from = tuple(region.drawn_from for region in regions)
    evenly = all(
        chance is not None and n > 0 and abs(chance * n - 1) < 1e-9
        for chance, n in zip(chances, drawn_from, strict=True)
    )
    if evenly and drawn_from:  # windows that overlap what was drawn go with it; all others stay
        n = drawn_from[0]
        drawn_from = tuple(n - m for m in range(len(regions)))
        chances = tuple(1 / k for k in drawn_from)
    unanswered = sum(
        region.state is not RegionState.DONE or region.id not in measured for region in regions
    )
    return DrawnUnits(
        chances,
        drawn_from,
        int(str(offered.get("n_impossible", 0))),
        float(str(offered.get("covered", 1.0))),
        unanswered,
    )


#: Losses whose mean over equal units is the figure.
_LOSSES: Mapping[str, Callable[[EvalReport], float]] = {
    "accuracy": lambda report: 1 - float(report.confusion.accuracy),
    "nll": lambda report: report.scores.nll,
    "brier": lambda report: report.scores.brier,
}


def _no(reason: str | None) -> str:
    return f"no unbiased estimate is possible: {reason}"


def _row(model_id: str, source: str, report: EvalReport, n: int, words: str) -> ScoreRow:
    few = "; too few images for limits" if len(report.images) < LEAST_IMAGES else ""
    return ScoreRow(model_id, source, len(report.images), n, words + few, report.intervals())


def _is_control(queued: QueuedRegion | None) -> bool:
    return queued is not None and queued.kind is RegionKind.CONTROL


def _measured_before_training(project: Project) -> dict[str, dict[str, EvalReport]]:
    """Return, by model, the regions that it was measured on before they were learned from."""
    found: dict[str, dict[str, EvalReport]] = defaultdict(dict)
    for event in project.events.named(CONTROL_EVENT):
        model_id, facts = event.facts.get("model"), event.facts.get("report")
        if not isinstance(model_id, str) or not isinstance(facts, Mapping):
            continue
        try:
            report = report_from_facts(facts)
        except BadInputError:
            continue
        if report.confusion.n_pixels:
            found[model_id][event.subject] = report
    return found


def _together(reports: Iterable[EvalReport]) -> EvalReport:
    """Return one report in which the squares of an image are one: they are alike."""
    reports = list(reports)
    by_image = defaultdict(list)
    for report in reports:
        for image in report.images:
            by_image[image.image_id].append(image)
    return EvalReport(
        reports[0].classes, tuple(sum(rest, first) for first, *rest in by_image.values())
    )
