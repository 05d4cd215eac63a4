"""A study from its settings to its files: run what is missing, write curves, results and page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from napari_active_seg.acquisition import strategy_named
from napari_active_seg.experiments.datasets import PreparedData
from napari_active_seg.experiments.side_by_side import OnProgress
from napari_active_seg.experiments.study import RoundRecord, StudySettings, run_study
from napari_active_seg.experiments.study.pictures import add_pictures
from napari_active_seg.experiments.study.project_run import OpenSession
from napari_active_seg.experiments.study.report import study_report
from napari_active_seg.experiments.study.results_json import device_of
from napari_active_seg.experiments.study.running import finished_records, seconds_of_work
from napari_active_seg.experiments.study.settings import ArmSettings
from napari_active_seg.experiments.study.written import write_results

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


def write_study(study: StudySettings, out: Path, *, device: str = "") -> tuple[RoundRecord, ...]:
    """Write curves.csv, results.json and the report with its figures of what is done in ``out``.

    Without a ``device`` it is the one that was told when the study ran.
    """
    device = device or device_of(out)
    data = PreparedData.open(out / "data")
    records = finished_records(study, out)
    work = seconds_of_work(study, out)
    write_results(study, records, out, device=device, work=work)
    page = study_report(study, records, device=device, notes=data.notes)
    add_pictures(page, study, data, out)
    page.write_all(out)
    return records


def arms_for(
    strategies: Sequence[str], *, measure: str | None = None, beside: str | None = None
) -> tuple[ArmSettings, ...]:
    """Return an arm for each strategy, and one beside them in places of the first one's kind."""
    parts = {} if measure is None else {"measure": measure}
    arms = [ArmSettings.made(name=name, strategy=name, parts=parts) for name in strategies]
    if beside is not None and beside not in strategies:
        unit = strategy_named(strategies[0]).unit
        arms.append(ArmSettings.made(name=beside, strategy=beside, parts={**parts, "unit": unit}))
    return tuple(arms)
