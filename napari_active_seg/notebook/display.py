"""What a notebook shows: the same figures and tables as the report, in a cell's output."""

from __future__ import annotations

from napari_active_seg.errors import NothingToDoError
from napari_active_seg.figures import Report, heatmap_rgb, image_jpeg, outline_rgb
from napari_active_seg.session import Session
from napari_active_seg.session.report import project_report
from napari_active_seg.session.trust.figures import project_figures
from napari_active_seg.uncertainty import get_measure

__all__ = ["show_figures", "show_image", "show_project"]


def show_project(session: Session) -> Report:
    """Return the project's report; a notebook shows it when it is the cell's last value."""
    return project_report(session)


def show_figures(session: Session) -> Report:
    """Return every figure that can be drawn of the project; NothingToDoError without any."""
    page = Report(session.state.project, "Figures")
    found = list(project_figures(session.project))
    if not found:
        raise NothingToDoError("nothing was measured yet; train with labelled validation images")
    for named in found:
        page.chart(named.figure, named.caption, width=470)
    return page


def show_image(session: Session, image_id: str, *, measure: str | None = None) -> Report:
    """Return one image with its outline and its uncertainty in a row.

    NothingToDoError until the image was predicted.
    """
    prediction = session.prediction(image_id)
    if prediction is None:
        raise NothingToDoError(f"image {image_id} was not predicted yet; call session.predict()")
    named = get_measure(measure or session.state.measure)
    image = session.read_image(image_id, step=prediction.step)
    values = named.compute(prediction.moments)
    top = float(values.max())
    page = Report(image_id, f"Model {prediction.model_id}, {prediction.moments.n} passes")
    page.picture(image_jpeg(outline_rgb(image, prediction.classes)), "Prediction", width=420)
    heat = heatmap_rgb(image, values, highest=top)
    page.picture(image_jpeg(heat), f"{named.title}, 0 to {top:.2f} {named.unit}", width=420)
    return page
