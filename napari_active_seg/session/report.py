"""A project as one HTML page: what was labelled, how the model does, and what it looks like."""

from __future__ import annotations

from pathlib import Path

from napari_active_seg._version import __version__
from napari_active_seg.acquisition import RegionKind
from napari_active_seg.errors import ImageError
from napari_active_seg.figures import (
    Report,
    draw_losses,
    draw_model_history,
    heatmap_rgb,
    image_png,
    outline_rgb,
)
from napari_active_seg.project import Split
from napari_active_seg.regions import RegionState, count_labelled_pixels
from napari_active_seg.session.model_access.model_records import describe_calibration
from napari_active_seg.session.session import Session
from napari_active_seg.session.trust.figures import project_figures
from napari_active_seg.uncertainty import get_measure

__all__ = ["project_report", "write_project_report"]

_MOST_PICTURES = 4
_MOST_FINDINGS = 20


def write_project_report(session: Session, path: Path) -> None:
    """Write the page."""
    project_report(session).write(path)


def project_report(session: Session) -> Report:
    """Return the page, for more to be added."""
    state = session.state
    report = Report(state.project, f"Project report, napari-active-seg {__version__}")
    _add_contents(report, session)
    _add_models(report, session)
    _add_trust(report, session)
    _add_pictures(report, session)
    return report


def _add_contents(report: Report, session: Session) -> None:
    state, images = session.state, session.project.images
    done = [q for q in state.queue if q.state is RegionState.DONE]
    pool = {ref.id: ref.shape[0] * ref.shape[1] for ref in images.all(Split.POOL)}
    labels = session.project.labels.done(tuple(pool))
    labelled = count_labelled_pixels(labels)
    share = labelled / sum(pool.values()) if pool else 0.0
    report.heading("What is in it")
    report.facts(
        {
            "Classes": ", ".join(state.schema.names),
            "Images in the pool": len(pool),
            "Images for validation": len(state.image_ids) - len(pool),
            "Regions done": len(done),
            "Regions waiting": len(state.open_regions),
            "Labelled share of the pool's pixels": f"{share:.2%}",
            "Rounds": state.round,
        }
    )
    proposed = [q for q in state.queue if q.round > 0 or q.kind is RegionKind.MANUAL]
    if proposed:
        report.heading("Regions and why they were asked for")
        report.table(
            ("round", "image", "y", "x", "size", "state", "score", "reason"),
            [
                (
                    q.round,
                    q.region.image_id,
                    q.region.y,
                    q.region.x,
                    f"{q.region.height} x {q.region.width}",
                    q.state.replace("_", " "),
                    q.information,
                    q.reason,
                )
                for q in proposed
            ],
        )


def _add_models(report: Report, session: Session) -> None:
    models = session.state.models
    if not models:
        return
    report.heading("Models, on the fixed validation")
    keys = ("mean_dice", "mean_jaccard", "balanced_accuracy", "object_f1", "nll", "brier", "ece")
    shown = [key for key in keys if any(key in m.metrics for m in models)]
    report.table(
        ("model", "network", "round", *shown),
        [
            (m.id, m.preset, m.round, *(m.metrics.get(key, "not known") for key in shown))
            for m in models
        ],
    )
    if any(m.metrics for m in models):
        history = draw_model_history([(m.id, m.metrics) for m in models])
        report.chart(history, "Dice and calibration error, model by model")
    training = session.last_training
    if training is not None:
        report.chart(draw_losses(training.losses), "Loss of the last training")


def _add_trust(report: Report, session: Session) -> None:
    """Add what can be trusted and how far, with the figures of the calibration paper."""
    project = session.project
    rows = session.trust.scoreboard()
    if rows:
        report.heading("What is known, and from which labels")
        names = ("accuracy", "mean_dice", "nll", "ece")
        report.table(
            ("model", "labels", "images", "places", *names, "can it be trusted?"),
            [
                (
                    row.model_id,
                    row.source,
                    row.n_images,
                    row.n_places,
                    *(row.intervals[n].summary if n in row.intervals else "" for n in names),
                    row.summary,
                )
                for row in rows
            ],
        )
        report.paragraph("Limits hold 95 % of what images drawn again would show.")
    leaks = session.trust.leaks() or "near copies between pool and set-aside images: not looked for"
    words = [describe_calibration(project, session.state.model), leaks]
    record = session.trust.calibration()
    if record is not None:
        words += [f"On images left out: {record.describe_change(m)}" for m in record.calibrations]
    for text in filter(None, words):
        report.paragraph(text)
    figures = list(project_figures(project))
    if figures:
        report.heading("Figures")
    for named in figures:
        report.chart(named.figure, named.caption, width=470)
    _add_review(report, session)


def _add_review(report: Report, session: Session) -> None:
    found, classes = session.trust.latest_review(), session.state.schema.names
    if found is not None:
        report.heading("Labels to look at again")
        report.paragraph(found.summary[:1].upper() + found.summary[1:])
    if found is not None and found.findings:
        report.table(
            ("region", "image", "what is doubted"),
            [
                (f.region_id, f.image_id, f.describe(classes))
                for f in found.findings[:_MOST_FINDINGS]
            ],
        )
    agreements = [a for a in session.trust.agreements() if a.region_id is None]
    if agreements:
        report.heading("Agreement of annotators")
        report.table(
            ("one", "other", "regions", "pixels", "Cohen's kappa", "mean Dice"),
            [(a.one, a.other, a.n_regions, a.n_pixels, a.kappa, a.mean_dice) for a in agreements],
        )


def _add_pictures(report: Report, session: Session) -> None:
    state = session.state
    shown = [image_id for image_id in state.image_ids if image_id in state.predicted]
    if not shown:
        return
    measure = get_measure(state.measure)
    report.heading("What the model sees")
    for image_id in shown[:_MOST_PICTURES]:
        prediction, values = session.prediction(image_id), session.uncertainty(image_id)
        if prediction is None or values is None:
            continue
        try:
            image = session.read_image(image_id, step=prediction.step)
        except ImageError as error:
            report.paragraph(str(error))
            continue
        here = [q.place for q in state.proposed_regions if q.region.image_id == image_id]
        boxes = [p.coarser(prediction.step, prediction.moments.shape).region for p in here]
        outlined = outline_rgb(image, prediction.classes, boxes=boxes)
        heat = heatmap_rgb(image, values, highest=float(values.max()))
        report.picture(image_png(outlined), f"{image_id}: prediction and regions", width=470)
        report.picture(
            image_png(heat),
            f"{image_id}: {measure.title}, 0 to {values.max():.2f} {measure.unit}",
            width=470,
        )
