"""The figures of the calibration paper, and what belongs to them, of one project.

Figures are drawn from the evaluations in the event log: on the fixed validation, or on the test
images where there is no labelled validation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from matplotlib.figure import Figure

from napari_active_seg.acquisition import RegionKind
from napari_active_seg.calibration import ReliabilityBins, SelectedAndRest
from napari_active_seg.figures import (
    Curve,
    draw_curves,
    draw_errors_by_uncertainty,
    draw_learning_curve,
    draw_panels,
    draw_reliability,
    draw_selected_and_rest,
    draw_sparsification,
)
from napari_active_seg.metrics import EvalReport, budget_to_reach
from napari_active_seg.project import ModelRecord, Project, QueuedRegion, Split
from napari_active_seg.session.model_access.cache_key import prediction_key
from napari_active_seg.session.model_access.model_records import (
    load_calibrations,
    load_evaluation,
    load_figures,
)
from napari_active_seg.session.trust.learning_curve import LearningCurve, Spending, learning_curve
from napari_active_seg.session.trust.scoreboard import control_report
from napari_active_seg.uncertainty import get_measure

__all__ = [
    "MeasuredModel",
    "NamedFigure",
    "bins_of_selected",
    "images_for_figures",
    "measured_models",
    "project_figures",
    "selected_and_rest",
]

#: At most so many images are looked at for the distribution of uncertainty.
_MOST_IMAGES = 24
#: Levels of Dice of which it is told with how many pixels they were reached.
_LEVELS = (0.70, 0.75, 0.80, 0.85, 0.90, 0.95)
_CALIBRATION = {
    "nll": "NLL (nats)",
    "ece": "ECE",
    "brier": "Brier (0 to 2)",
    "brier_reliability": "reliability of Brier",
}


@dataclass(frozen=True, slots=True, eq=False)
class NamedFigure:
    """A figure with the name of its file, what it shows, and the numbers behind it."""

    name: str
    figure: Figure
    caption: str
    head: tuple[str, ...] = ()
    rows: tuple[tuple[object, ...], ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class MeasuredModel:
    """A model with what was labelled for it, and how it did."""

    record: ModelRecord
    share: float  #: of the pool's pixels, in per cent
    minutes: float
    report: EvalReport
    figures: Mapping[str, float]


def measured_models(project: Project) -> tuple[MeasuredModel, ...]:
    """Return every model that was measured, on the validation or else on the test images."""
    pool = sum(ref.shape[0] * ref.shape[1] for ref in project.images.all(Split.POOL))
    spending = Spending(project)
    found = []
    for record in project.models.all():
        for is_test in (False, True):
            report = load_evaluation(project, record.id, is_test=is_test)
            if report is not None:
                pixels, minutes = spending.until(record.created_at)
                figures = load_figures(project, record.id, is_test=is_test)
                share = 100 * pixels / max(pool, 1)
                found.append(MeasuredModel(record, share, minutes, report, figures))
                break
    return tuple(found)


def project_figures(project: Project) -> Iterator[NamedFigure]:
    """Yield what can be drawn of a project, one figure after the other."""
    models = measured_models(project)
    if models:
        yield _accuracy(models)
        if models[-1].minutes > 0:
            yield _cost(models)
        yield _calibration(models)
        yield from _reliability(project, models)
        yield from _errors(models[-1], project.config.acquisition.measure)
    controls = control_report(project)
    if controls is not None:
        yield _on_controls(controls)
    chosen = selected_and_rest(project)
    if chosen is not None:
        yield chosen
    curve = learning_curve(project)
    if curve.points:
        yield _learning(curve, "learning-curve")
    if curve.points and curve.unit == "minutes":
        yield _learning(learning_curve(project, unit="pixels"), "learning-curve-pixels")


# --- figures 1, 3, 5 and E.2 ---------------------------------------------------------------------


def _accuracy(models: Sequence[MeasuredModel]) -> NamedFigure:
    keys = [k for k in ("mean_dice", "mean_jaccard", "object_f1") if k in models[-1].figures]
    titles = {
        "mean_dice": "pixel F1 (mean Dice)",
        "mean_jaccard": "mean Jaccard",
        "object_f1": "object F1",
    }
    curves = [_curve(models, key, titles[key]) for key in keys]
    shares, scores = [m.share for m in models], [m.figures.get("mean_dice", 0.0) for m in models]
    reached = _reached(shares, scores)
    rows = [
        (m.record.id, m.share, m.minutes, *(m.figures.get(k, float("nan")) for k in keys))
        for m in models
    ]
    words = f". Pixels needed: {reached}" if reached else ""
    return NamedFigure(
        "figure-3-accuracy",
        draw_curves(curves, x_title="% of the pool's pixels labelled", y_title="score"),
        "Accuracy as more is labelled; bands are 95 % over resampled images "
        f"(the calibration paper, figures 1 and 3, table 1){words}",
        ("model", "labelled_percent", "minutes", *keys),
        tuple(rows),
    )


def _reached(shares: Sequence[float], scores: Sequence[float]) -> str:
    """Return with how many pixels each level of Dice was reached, in words."""
    if any(later <= sooner for sooner, later in pairwise(shares)):
        return ""
    found = {level: budget_to_reach(shares, scores, level) for level in _LEVELS}
    return ", ".join(
        f"F1 {level:.0%} with {share:.2f} %".replace("%", " %", 1)
        for level, share in found.items()
        if share is not None
    )


def _cost(models: Sequence[MeasuredModel]) -> NamedFigure:
    curve = _curve(models, "mean_dice", "mean Dice", over="minutes")
    return NamedFigure(
        "cost-against-accuracy",
        draw_curves([curve], x_title="minutes of labelling, as measured", y_title="mean Dice"),
        "What a person's time bought; the band is 95 % over resampled images",
        ("model", "minutes", "mean_dice"),
        tuple((m.record.id, m.minutes, m.figures.get("mean_dice", float("nan"))) for m in models),
    )


def _calibration(models: Sequence[MeasuredModel]) -> NamedFigure:
    panels = {title: [_curve(models, key, "models")] for key, title in _CALIBRATION.items()}
    rows = [
        (m.record.id, m.share, *(m.figures.get(k, float("nan")) for k in _CALIBRATION))
        for m in models
    ]
    return NamedFigure(
        "figure-5-calibration",
        draw_panels(panels, x_title="% labelled"),
        "Calibration as more is labelled: low is good (the calibration paper, figures 5, E.2)",
        ("model", "labelled_percent", *_CALIBRATION),
        tuple(rows),
    )


def _curve(models: Sequence[MeasuredModel], key: str, label: str, *, over: str = "share") -> Curve:
    """Return a figure of every model, with its interval over images where one is known."""
    known = [m for m in models if key in m.figures]
    intervals = [m.report.interval(key) for m in known]
    low = high = None
    if all(i is not None and not np.isnan(i.low) for i in intervals):
        low = [i.low for i in intervals if i is not None]
        high = [i.high for i in intervals if i is not None]
    return Curve(
        label, [getattr(m, over) for m in known], [m.figures[key] for m in known], low, high
    )


# --- figure E.1 and what uncertainty finds -------------------------------------------------------


def _reliability(project: Project, models: Sequence[MeasuredModel]) -> Iterator[NamedFigure]:
    first, last = models[0], models[-1]
    for number, (model, words) in enumerate(((first, "first"), (last, "latest"))):
        if number and last is first:
            return
        record = load_calibrations(project, model.record)
        bins = model.report.bins
        method = None if record is None else record.shown(project.config.inference.calibration)
        figure = draw_reliability(
            bins,
            by_image=model.report.bins_by_image,
            calibrated=None if record is None or method is None else record.bins.get(method),
            title=f"{model.record.id}: ECE {bins.expected_calibration_error:.3f}",
        )
        caption = f"Reliability of the {words} model (the calibration paper, figure E.1)"
        if record is not None and method is not None:
            caption += f"; on images left out, {record.describe_change(method)}"
        yield NamedFigure(
            f"figure-E1-reliability-{words}",
            figure,
            caption,
            ("from", "to", "pixels", "confidence", "accuracy"),
            _reliability_rows(bins),
        )


def _on_controls(report: EvalReport) -> NamedFigure:
    bins = report.bins
    return NamedFigure(
        "reliability-control-squares",
        draw_reliability(bins, by_image=report.bins_by_image),
        "Reliability on control squares, which were drawn at random: each by the model that was in "
        "use before it was learned from",
        ("from", "to", "pixels", "confidence", "accuracy"),
        _reliability_rows(bins),
    )


def _reliability_rows(bins: ReliabilityBins) -> tuple[tuple[object, ...], ...]:
    rows = zip(
        bins.edges[:-1], bins.edges[1:], bins.counts, bins.mean_confidence, bins.accuracy,
        strict=True,
    )  # fmt: skip
    return tuple(tuple(float(v) for v in row) for row in rows)


def _errors(model: MeasuredModel, measure: str) -> Iterator[NamedFigure]:
    known = {k: e for k, e in model.report.errors.items() if e.n_pixels}
    if not known:
        return
    yield NamedFigure(
        "sparsification",
        draw_sparsification(known),
        "Does uncertainty find errors? What is wrong of the rest as the most uncertain pixels are "
        "put aside; the lower the area, the better",
        ("measure", "area", "area_of_oracle", "error_rate"),
        tuple((k, e.area, e.area_of_oracle, e.error_rate) for k, e in known.items()),
    )
    name = measure if measure in known else next(iter(known))
    errors = known[name]
    yield NamedFigure(
        "errors-by-uncertainty",
        draw_errors_by_uncertainty(errors, measure=name),
        "Share of wrong pixels in each tenth of the pixels, the surest first",
        ("tenth", "share_wrong"),
        tuple((k + 1, float(rate)) for k, rate in enumerate(errors.rates_by_share(10))),
    )


# --- figure 4 ------------------------------------------------------------------------------------


def images_for_figures(project: Project) -> tuple[str, ...]:
    """Return the pool images whose predictions figure 4 is drawn from: the latest round's first."""
    with_regions = [queued.region.image_id for queued in _latest_round(project)]
    pool = [ref.id for ref in project.images.all(Split.POOL)]
    here = [i for i in dict.fromkeys(with_regions) if i in set(pool)]
    drawn = np.random.default_rng(project.config.seed).permutation(pool).tolist()
    return tuple(dict.fromkeys([*here, *drawn]))[:_MOST_IMAGES]


def selected_and_rest(project: Project) -> NamedFigure | None:
    """Return the uncertainty of the latest round's regions beside the rest; None unpredicted."""
    regions = _latest_round(project)
    measure = get_measure(project.config.acquisition.measure)
    bins = bins_of_selected(project, regions, images_for_figures(project), measure.name)
    if bins is None or not bins.selected.any():
        return None
    model = project.models.in_use()
    chosen, rest = bins.means
    number = regions[0].round
    before = model is None or number <= model.round
    seen = "by the model before this one" if before else "by this model"
    return NamedFigure(
        "figure-4-uncertainty",
        draw_selected_and_rest(bins, measure=f"{measure.title} ({measure.unit})"),
        f"Uncertainty of what was selected in round {number} ({seen}), mean {chosen:.3f}, "
        f"and of the rest, mean {rest:.3f} (the calibration paper, figure 4)",
        ("from", "selected_pixels", "other_pixels"),
        tuple(
            (float(edge), int(one), int(other))
            for edge, one, other in zip(bins.edges, bins.selected, bins.rest, strict=False)
        ),
    )


def bins_of_selected(
    project: Project,
    regions: Sequence[QueuedRegion],
    image_ids: Sequence[str],
    measure_name: str,
) -> SelectedAndRest | None:
    """Return how uncertain the model in use is of ``regions``, beside the rest of the images.

    None where there is no region, or nothing of the images was predicted.
    """
    model, measure = project.models.in_use(), get_measure(measure_name)
    if model is None or not regions:
        return None
    key = prediction_key(project, model)
    bins: SelectedAndRest | None = None
    for image_id in image_ids:
        prediction = project.predictions.load(key, image_id)
        if prediction is None or not measure.can_be_computed(prediction.moments):
            continue
        values = measure.compute(prediction.moments)
        mask = np.zeros(values.shape, bool)
        for queued in regions:
            if queued.region.image_id == image_id:
                place = queued.place.coarser(prediction.step, prediction.moments.shape)
                mask[place.region.slices] |= place.mask
        if bins is None:
            bound = measure.upper_bound(prediction.moments.n_classes)
            bins = SelectedAndRest.empty(
                bound if np.isfinite(bound) else float(values.max()) or 1.0
            )
        bins = bins.add(values, mask)
    return bins


def _latest_round(project: Project) -> list[QueuedRegion]:
    """Return the regions of the latest round; those placed by hand were not selected by a model."""
    queue = [q for q in project.regions.queue() if q.kind is not RegionKind.MANUAL]
    latest = max((queued.round for queued in queue), default=0)
    return [queued for queued in queue if queued.round == latest and latest > 0]


# --- when to stop --------------------------------------------------------------------------------


def _learning(curve: LearningCurve, name: str) -> NamedFigure:
    scores = [point.score for point in curve.points]
    figure = draw_learning_curve(curve.x, scores, unit=curve.unit, fit=curve.fit, step=curve.step)
    return NamedFigure(
        name,
        figure,
        f"Learning curve on the fixed validation: {curve.advice.verdict}. {curve.advice.summary}",
        ("model", curve.unit, "mean_dice"),
        tuple((p.model_id, x, p.score) for p, x in zip(curve.points, curve.x, strict=True)),
    )
