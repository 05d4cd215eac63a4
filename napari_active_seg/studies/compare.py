"""Comparison of studies and projects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from matplotlib.figure import Figure

from napari_active_seg._version import __version__
from napari_active_seg.errors import BadInputError
from napari_active_seg.figures import Report, draw_groups
from napari_active_seg.project import Project, Split
from napari_active_seg.session.model_access.model_records import load_figures
from napari_active_seg.session.trust.learning_curve import Spending
from napari_active_seg.studies.method_ranking import kinds_by_area
from napari_active_seg.studies.paper_results import add_published
from napari_active_seg.studies.seed_statistics import Spread, compare_pairs
from napari_active_seg.studies.segmentation import (
    ALL_LABELS,
    RoundRecord,
    StudySettings,
    finished_records,
)
from napari_active_seg.studies.segmentation.curves import in_groups, study_curves
from napari_active_seg.studies.segmentation.summary import (
    AXES,
    area_at,
    arms_of,
    least_common_budget,
    score_at,
)

__all__ = ["Compared", "compare_runs", "records_of"]


@dataclass(frozen=True, slots=True, eq=False)
class Compared:
    """The page, the rows of its main table, and those of the kinds of methods in each study."""

    page: Report
    rows: list[tuple[object, ...]]
    kinds: list[tuple[object, ...]]


def compare_runs(runs: Sequence[Path], *, score: str) -> Compared:
    """Compare studies or projects; BadInputError if there is nothing to compare."""
    if len(runs) < 2:
        raise BadInputError("at least two runs are compared; name a second folder")
    names = _short_names(runs)
    records = [
        replace(record, arm=f"{name}: {record.arm}")
        for name, run in zip(names, runs, strict=True)
        for record in records_of(run)
        if record.arm != ALL_LABELS and score in record.scores
    ]
    arms = arms_of(records)
    if len({arm.split(":")[0] for arm in arms}) < 2:
        raise BadInputError(
            f"fewer than two of the runs have a round with the score {score!r}; 'report' and "
            "'evaluate' say what there is"
        )
    budget = least_common_budget(records)
    areas = {arm: area_at(records, arm, score=score, budget=budget) for arm in arms}
    scores = {arm: score_at(records, arm, score=score, budget=budget) for arm in arms}
    percent = f"{100 * budget:.2f}"
    rows: list[tuple[object, ...]] = [
        (
            arm,
            _describe_area(areas[arm]),
            Spread.over_seeds(scores[arm]).describe(3),
            "" if arm == arms[0] else compare_pairs(scores[arm], scores[arms[0]]).summary,
        )
        for arm in arms
    ]
    page = Report("Runs side by side", f"napari-active-seg {__version__}: {score}")
    page.chart(*_curves_of_runs(records, score))
    page.table(("", f"AUC@{percent}", f"{score}@{percent}", f"beside {arms[0]}"), rows)
    page.paragraph(
        f"All at {percent} % of the pool, the most that every run has reached; seeds are paired."
    )
    return Compared(page, rows, _add_kinds(page, runs, names))


def _curves_of_runs(records: Sequence[RoundRecord], score: str) -> tuple[Figure, str]:
    """Return the curves of all runs and their caption; many are drawn run by run."""
    curves = study_curves(records, score)
    runs = {curve.label: curve.label.split(": ")[0] for curve in curves}
    groups, titles = in_groups(curves, runs), []
    if len(groups) > 1:
        titles = [runs[group[0].label] for group in groups]
        groups = [[replace(c, label=c.label.partition(": ")[2]) for c in group] for group in groups]
    figure = draw_groups(groups, x_title=AXES["pixels"], y_title=score, titles=titles)
    return figure, f"{score} over the share of pixels that is labelled"


def _describe_area(areas: Mapping[int, float | None]) -> str:
    """Return an area as text; runs that begin where others end have none in common."""
    spread = Spread.over_seeds(areas)
    return spread.describe(3) if spread.n else "none in common"


def _add_kinds(
    page: Report, runs: Sequence[Path], names: Sequence[str]
) -> list[tuple[object, ...]]:
    """Add which kind of method was best in each study, and the guide of the paper."""
    rows: list[tuple[object, ...]] = []
    for name, run in zip(names, runs, strict=True):
        if not (run / "study.json").is_file():
            continue
        study = StudySettings.read(run / "study.json")
        kinds = kinds_by_area(study, records_of(run))
        chance = next((one for one in kinds if one.kind == "Random"), None)
        rows += [
            (
                name,
                one.kind,
                one.arm,
                one.area.describe(3),
                one.score.describe(3),
                "" if chance in (None, one) else compare_pairs(one.areas, chance.areas).summary,
            )
            for one in kinds
        ]
    if rows:
        page.heading("Which kind of method was best?")
        page.table(("", "kind", "its best arm", "AUC@B", "score@B", "AUC beside Random"), rows)
        page.paragraph(
            "The best kind first, in each study at the largest budget B that all of its runs have "
            "reached. Single: the best images one by one; Batch: images unlike each other; SSL: "
            "images without labels are learned from too. Of a kind with several arms the one that "
            "turned out best is shown, which flatters it."
        )
        add_published(page, "pools")
    return rows


def records_of(run: Path) -> tuple[RoundRecord, ...]:
    """Return the rounds of a study, or of a project's models on its validation, else its test."""
    if (run / "study.json").is_file():
        return finished_records(StudySettings.read(run / "study.json"), run)
    if (run / "project.json").is_file():
        return _records_of_project(run)
    raise BadInputError(f"{run} is neither the folder of a study nor a project")


def _records_of_project(folder: Path) -> tuple[RoundRecord, ...]:
    with Project.open(folder, read_only=True) as project:
        spending = Spending(project)
        pool = sum(ref.shape[0] * ref.shape[1] for ref in project.images.all(Split.POOL))
        found = []
        for number, model in enumerate(project.models.all()):
            pixels, minutes = spending.until(model.created_at)
            figures = (
                load_figures(project, model.id)
                or load_figures(project, model.id, is_test=True)
                or dict(model.metrics)
            )
            found.append(
                RoundRecord(
                    arm=project.config.name,
                    seed=project.config.seed,
                    round=number,
                    regions=0,
                    images=0,
                    labelled_pixels=pixels,
                    labelled_share=pixels / max(pool, 1),
                    scores=figures,
                    seconds=60 * minutes,
                )
            )
    return tuple(found)


def _short_names(runs: Sequence[Path]) -> list[str]:
    """Return the last parts of paths, with the folder above where two are alike."""
    names = [run.resolve().name for run in runs]
    if len(set(names)) == len(names):
        return names
    return [f"{run.resolve().parent.name}/{run.resolve().name}" for run in runs]
