"""Projects, sessions and their values as a cell shows them: tables, thumbnails, figures."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import singledispatch

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure
from numpy.typing import NDArray

from napari_active_seg.acquisition import Proposal
from napari_active_seg.errors import ImageError
from napari_active_seg.figures import (
    Report,
    draw_reliability,
    heatmap_rgb,
    image_jpeg,
    outline_rgb,
    painted_rgb,
)
from napari_active_seg.images import picture_at_step
from napari_active_seg.metrics import EvalReport
from napari_active_seg.project import Project, QueuedRegion, Split
from napari_active_seg.regions import RegionState
from napari_active_seg.session import Session
from napari_active_seg.session.labels.whole_images import compose_labels
from napari_active_seg.session.thumbnails import Thumbnails
from napari_active_seg.uncertainty import Prediction, get_measure

__all__ = ["render_html"]

#: Most pictures that are shown; a sentence gives the number of all.
_MOST_PICTURES = 6
_MOST_ROWS = 20
_LONGEST = 220
_WIDTH = 150


def render_html(value: object) -> str:
    """Return ``value`` as HTML for a cell."""
    return _page(value)._repr_html_()


@singledispatch
def _page(value: object) -> Report:
    raise TypeError(f"a cell has no pictures of {type(value).__name__}")


@_page.register
def _(project: Project) -> Report:
    config, images = project.config, project.images
    page = Report(config.name, f"Project in {project.folder}")
    queue, model = project.regions.queue(), project.models.in_use()
    states = {state: sum(q.state is state for q in queue) for state in RegionState}
    page.facts(
        {
            "Classes": ", ".join(project.schema.names),
            "Images": f"{len(images.all())}: {len(images.all(Split.POOL))} in the pool, "
            f"{len(images.all(Split.VALIDATION))} for validation, "
            f"{len(images.all(Split.TEST))} for test",
            "Regions": ", ".join(f"{n} {s.replace('_', ' ')}" for s, n in states.items() if n)
            or "none yet",
            "Model in use": "none yet" if model is None else f"{model.id} ({model.preset})",
            "Annotators": ", ".join(project.labels.annotators()) or "nobody yet",
        }
    )
    refs = images.all(Split.POOL)
    for ref in refs[:_MOST_PICTURES]:
        try:
            picture = _project_picture(project, ref.id)
        except ImageError as error:
            page.paragraph(str(error))
            continue
        page.picture(image_jpeg(picture), ref.id, width=_WIDTH)
    if len(refs) > _MOST_PICTURES:
        page.paragraph(f"and {len(refs) - _MOST_PICTURES} more images in the pool")
    return page


def _project_picture(project: Project, image_id: str) -> NDArray[np.uint8]:
    source = project.images.source(image_id)
    step = max(1, math.ceil(max(source.shape) / _LONGEST))
    picture = picture_at_step(source, step)
    height, width = picture.shape[:2]
    target = compose_labels(project, image_id, step=step)[:height, :width]
    return painted_rgb(picture, target, project.schema.colours)


@_page.register
def _(session: Session) -> Report:
    state = session.state
    page = Report(state.project, f"Round {state.round}, {len(state.image_ids)} images")
    model = state.model
    known = "" if model is None else _describe_scores(model.metrics)
    page.facts(
        {
            "Regions": f"{state.counts[RegionState.DONE]} done, {len(state.open_regions)} waiting",
            "Model in use": "none yet; train()"
            if model is None
            else f"{model.id} ({model.preset}) {known}",
            "Calibration": state.calibrated or "none",
            "Measure": get_measure(state.measure).title,
            "Under way": ", ".join(job.title for job in state.jobs) or "nothing",
        }
    )
    latest = [q for q in state.queue if q.round == state.round and q.round > 0]
    thumbnails = Thumbnails(session.project, side=_WIDTH)
    for queued in latest[:_MOST_PICTURES]:
        _add_region(page, thumbnails, queued, None if state.blind else state.measure)
    if len(latest) > _MOST_PICTURES:
        page.paragraph(f"and {len(latest) - _MOST_PICTURES} more regions in this round")
    return page


def _describe_scores(metrics: Mapping[str, float]) -> str:
    named = (("mean Dice", "mean_dice"), ("ECE", "ece"))
    return ", ".join(f"{words} {metrics[key]:.3f}" for words, key in named if key in metrics)


def _add_region(
    page: Report, thumbnails: Thumbnails, queued: QueuedRegion, measure: str | None
) -> None:
    try:
        shown = thumbnails.make(queued, measure=measure)
    except ImageError as error:
        page.paragraph(str(error))
        return
    pixels = shown.pixels
    if shown.heat is not None and shown.heat.shape == pixels.shape[:2]:
        pixels = heatmap_rgb(pixels, shown.heat, highest=1.0, opacity=0.45)
    region = queued.region
    where = f"{region.image_id}, y {region.y}, x {region.x}: {queued.state.replace('_', ' ')}"
    page.picture(image_jpeg(pixels), f"{where}. {queued.reason}", width=_WIDTH)


@_page.register
def _(proposal: Proposal) -> Report:
    by = "no model yet" if proposal.model_id is None else f"by {proposal.model_id}"
    page = Report(
        f"Round {proposal.round}: {len(proposal.regions)} regions",
        f"{proposal.strategy}, {by}, seed {proposal.seed}",
    )
    page.table(
        ("image", "y", "x", "size", "kind", "information", "cost (s)", "reason"),
        [
            (
                scored.region.image_id,
                scored.region.y,
                scored.region.x,
                f"{scored.region.height} x {scored.region.width}",
                scored.kind.display_name,
                float(scored.information),
                float(scored.cost),
                scored.reason,
            )
            for scored in proposal.regions[:_MOST_ROWS]
        ],
    )
    if len(proposal.regions) > _MOST_ROWS:
        page.paragraph(f"and {len(proposal.regions) - _MOST_ROWS} more")
    if proposal.regions:
        page.chart(_information_by_cost(proposal), "Gain against cost", dpi=90)
    for note in proposal.notes:
        page.paragraph(note)
    return page


def _information_by_cost(proposal: Proposal) -> Figure:
    figure = Figure(figsize=(4.2, 2.6), layout="constrained")
    axes = figure.subplots()
    axes.scatter(
        [scored.cost for scored in proposal.regions],
        [scored.information for scored in proposal.regions],
        s=18,
    )
    axes.set_xlabel("expected cost (s)")
    axes.set_ylabel("information")
    return figure


@_page.register
def _(report: EvalReport) -> Report:
    page = Report("Measured", f"{len(report.images)} images, {report.confusion.n_pixels:,} px")
    if not report.images:
        page.paragraph("nothing was measured yet")
        return page
    named = report.figures()
    intervals = report.intervals()
    page.table(
        ("score", "value", "95 % over images"),
        [
            (
                name,
                named[name],
                f"{intervals[name].low:.3f} to {intervals[name].high:.3f}"
                if name in intervals and not math.isnan(intervals[name].low)
                else "",
            )
            for name in (*intervals, *(n for n in named if n.startswith("dice/")))
            if name in named
        ],
    )
    drawn = draw_reliability(report.bins, by_image=report.bins_by_image)
    page.chart(drawn, "Reliability: accuracy against confidence", dpi=90)
    return page


@_page.register
def _(prediction: Prediction) -> Report:
    moments, region = prediction.moments, prediction.region
    page = Report(
        region.image_id,
        f"Predicted by {prediction.model_id} in {moments.n} samples, {region.shape}",
    )
    step = max(1, math.ceil(max(moments.shape) / _LONGEST))
    classes = prediction.classes[::step, ::step]
    shares = np.bincount(prediction.classes.ravel(), minlength=moments.n_classes)
    palette = (colormaps["tab10"](np.arange(moments.n_classes) % 10)[:, :3] * 255).astype(np.uint8)
    caption = "Most probable class: " + ", ".join(
        f"{k} on {share:.1%}" for k, share in enumerate(shares / shares.sum())
    )
    page.picture(image_jpeg(outline_rgb(palette[classes], classes)), caption, width=_LONGEST)
    for name in ("entropy", "bald"):
        measure = get_measure(name)
        values = measure.compute(moments)
        top = float(values.max())
        black = np.zeros((*classes.shape, 3), np.uint8)
        heat = heatmap_rgb(black, values[::step, ::step], highest=top, opacity=1.0)
        words = f"{measure.title}, 0 to {top:.2f} {measure.unit}"
        page.picture(image_jpeg(heat), words, width=_LONGEST)
    return page
