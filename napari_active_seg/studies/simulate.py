"""Run the missing part of a study, and write its curves, results and report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from napari_active_seg.acquisition import get_strategy
from napari_active_seg.studies.datasets import PreparedData
from napari_active_seg.studies.results import read_device, read_notes
from napari_active_seg.studies.runner import OnProgress
from napari_active_seg.studies.segmentation import RoundRecord, StudySettings, run_study
from napari_active_seg.studies.segmentation.batch_diversity import add_collapse
from napari_active_seg.studies.segmentation.example_images import add_pictures
from napari_active_seg.studies.segmentation.report import study_report
from napari_active_seg.studies.segmentation.results import write_study_results
from napari_active_seg.studies.segmentation.run_base import OpenSession
from napari_active_seg.studies.segmentation.runner import finished_records, seconds_of_work
from napari_active_seg.studies.segmentation.settings import ArmSettings

__all__ = ["arms_for", "simulate", "write_study"]


def simulate(
    study: StudySettings,
    out: Path,
    open_session: OpenSession,
    *,
    workers: int = 0,
    device: str = "",
    on_progress: OnProgress,
) -> tuple[RoundRecord, ...]:
    """Run what is missing of a study, write its files into ``out`` and return its records.

    The projects that were labelled stay in ``out`` and can be opened in the desktop.
    """
    run_study(study, out, open_session, workers=workers, on_progress=on_progress)
    return write_study(study, out, device=device)


def write_study(
    study: StudySettings, out: Path, *, into: Path | None = None, device: str = ""
) -> tuple[RoundRecord, ...]:
    """Write curves.csv, results.json and the report with its figures of what is done in ``out``.

    They are written into ``out`` or ``into``. Without a ``device`` it is the one that the
    last results name. The rounds are enough: without data and projects there are no pictures.
    """
    device = device or read_device(out)
    data = PreparedData.open(out / "data") if (out / "data").is_dir() else None
    notes = read_notes(out) if data is None else data.notes
    records = finished_records(study, out)
    page = study_report(study, records, device=device, notes=notes)
    add_collapse(page, study, out)
    if data is not None:
        add_pictures(page, study, data, out)
    work = seconds_of_work(study, out)
    write_study_results(study, records, into or out, device=device, notes=notes, work=work)
    page.write_all(into or out)
    return records


def arms_for(
    strategies: Sequence[str], *, measure: str | None = None, beside: str | None = None
) -> tuple[ArmSettings, ...]:
    """Return an arm for each strategy, and one of ``beside`` with the unit of the first."""
    parts = {} if measure is None else {"measure": measure}
    arms = [ArmSettings.parse(name=name, strategy=name, parts=parts) for name in strategies]
    if beside is not None and beside not in strategies:
        unit = get_strategy(strategies[0]).unit
        arms.append(ArmSettings.parse(name=beside, strategy=beside, parts={**parts, "unit": unit}))
    return tuple(arms)
