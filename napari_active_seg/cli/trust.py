"""Verbs of trust: calibrate, trust, review, figures."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from napari_active_seg.calibration import METHODS
from napari_active_seg.cli.completion import completing
from napari_active_seg.cli.console import print_result
from napari_active_seg.cli.options import (
    DeviceOption,
    JsonOption,
    ProjectArgument,
    opened,
    run_verb,
)
from napari_active_seg.errors import BadInputError, ConfigError, NothingToDoError
from napari_active_seg.metrics import Interval
from napari_active_seg.session import Session
from napari_active_seg.session.trust.cross_validate import CrossValidation
from napari_active_seg.session.trust.scoreboard import ScoreRow

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the verbs to ``app``."""
    for verb in (calibrate, trust, review, figures):
        app.command()(verb)


def calibrate(
    project: ProjectArgument,
    use: Annotated[
        str | None,
        typer.Option(
            help=f"Put one in use from now on: best, {', '.join(METHODS)}.",
            autocompletion=completing(["best", *METHODS]),
        ),
    ] = None,
    back: Annotated[
        bool, typer.Option("--back", help="Take the calibration back that is in use.")
    ] = False,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Fit calibrations of the model in use on the fixed validation, and judge each honestly.

    Figures are of images that were left out of the fitting. Maps and proposals use a calibration
    once it is put in use, and it is fitted again after each training.

    Example: napari-active-seg calibrate my-project --use best
    """
    if use is not None and back:
        raise ConfigError("--use and --back contradict each other; give one of them")
    with opened(project, device=device) as session:
        if back:
            session.trust.take_calibration_back()
            facts: dict[str, Any] = {"in_use": None}
            text = "probabilities are used as the network gives them"
            print_result(facts, as_json=as_json, text=text)
            return
        run_verb(session, "Calibrating", lambda: session.trust.calibrate(use=use))
        record = session.trust.calibration()
        in_use = session.state.calibrated
    if record is None:
        raise NothingToDoError("nothing was fitted")
    lines = [f"{record.model_id}, on images left out of the fitting ({record.n_images} in all):"]
    lines += [f"  {record.describe_change(method)}" for method in record.calibrations]
    lines.append(f"best: {record.best or 'none; doing nothing has the lowest NLL'}")
    lines.append(f"in use: {in_use or 'none'}")
    facts = {
        "model": record.model_id,
        "images": record.n_images,
        "plain": dict(record.plain),
        "methods": {
            name: {**one.as_facts(), "figures": dict(record.figures[name])}
            for name, one in record.calibrations.items()
        },
        "best": record.best,
        "in_use": in_use or None,
    }
    print_result(facts, as_json=as_json, text="\n".join(lines))


def trust(
    project: ProjectArgument,
    test: Annotated[
        bool, typer.Option(help="Measure the model in use on the test images now.")
    ] = False,
    compare: Annotated[
        bool, typer.Option(help="Compare each model with the one before it on the pool now.")
    ] = False,
    leaks: Annotated[
        bool, typer.Option(help="Look for near copies of pool images among those set aside.")
    ] = False,
    cross_validate: Annotated[
        bool,
        typer.Option(
            "--cross-validate",
            help="Estimate now how good the model in use is from the finished regions: up to five "
            "models are trained, each without a part of the images, and tested on these.",
        ),
    ] = False,
    score_validation: Annotated[
        bool,
        typer.Option(
            "--score-validation",
            help="Score the model in use on the labelled validation images now.",
        ),
    ] = False,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Say what is known of the model in use, from which labels, and whether to label on.

    Begins with a short answer from the best evidence there is, and what would make it firmer. What
    cannot be known yet, such as a comparison before the second training, is a line of the answer.

    Example: napari-active-seg trust my-project --test --leaks
    """
    writes = test or compare or leaks or cross_validate or score_validation
    with opened(project, device=device, read_only=not writes) as session:
        wanted = (
            (test, "test", "Measuring", session.trust.score_test),
            (compare, "compare", "Comparing", session.trust.compare_models),
            (leaks, "leaks", "Looking", session.trust.find_leaks),
            (score_validation, "score-validation", "Scoring", session.trust.score_validation),
            (cross_validate, "cross-validate", "Cross-validating", session.trust.cross_validate),
        )
        unknown: dict[str, str] = {}
        for is_wanted, option, title, verb in wanted:
            if is_wanted:
                try:
                    run_verb(session, title, verb)
                except NothingToDoError as error:
                    unknown[option] = str(error)
        facts, lines = _known(session)
    facts["not_known_yet"] = unknown
    lines += [f"not known yet (--{option}): {why}" for option, why in unknown.items()]
    print_result(facts, as_json=as_json, text="\n".join(lines))


def _known(session: Session) -> tuple[dict[str, object], list[str]]:
    rows, curve = session.trust.scoreboard(), session.trust.learning_curve()
    leaks, agreements = session.trust.leaks(), session.trust.agreements()
    collapse = session.trust.collapse()
    summary, known = session.trust.summary(), session.trust.cross_validation()
    lines = [] if collapse is None else [collapse.describe()]
    lines += [line.text for line in summary]
    lines += [] if known is None else _cross_validation_lines(known)
    lines += [line for row in rows for line in _row_lines(row)]
    if not rows:
        lines.append("no model was measured yet; label validation images, and train")
    lines.append(f"calibration in use: {session.state.calibrated or 'none'}")
    lines.append(f"label on? {curve.advice.verdict}: {curve.advice.summary}")
    lines.append(leaks or "near copies between pool and set-aside images: not looked for (--leaks)")
    lines += [
        f"{a.one} and {a.other} agree on {a.n_regions} regions with kappa {a.kappa:.3f}, "
        f"mean Dice {a.mean_dice:.3f}"
        for a in agreements
        if a.region_id is None
    ]
    facts: dict[str, object] = {
        "one_class": None if collapse is None else asdict(collapse),
        "summary": [asdict(line) for line in summary],
        "cross_validation": None if known is None else _cross_validation_facts(known),
        "scoreboard": [
            {
                "model": row.model_id,
                "labels": row.source,
                "images": row.n_images,
                "places": row.n_places,
                "words": row.summary,
                "figures": {name: asdict(found) for name, found in row.intervals.items()},
            }
            for row in rows
        ],
        "calibration": session.state.calibrated or None,
        "label_on": {"verdict": curve.advice.verdict, "words": curve.advice.summary},
        "learning_curve": [asdict(point) for point in curve.points],
        "leaks": leaks,
        "annotators": [asdict(agreement) for agreement in agreements],
    }
    return facts, lines


def _cross_validation_lines(known: CrossValidation) -> list[str]:
    figures = ", ".join(f"{name} {found.summary}" for name, found in known.estimates.items())
    head = (
        f"{known.model_id} cross-validated in {known.n_folds} folds ({known.n_regions} regions on "
        f"{known.n_images} images): {figures}"
    )
    return [head, *(f"  {note}" for note in known.notes)]


def _cross_validation_facts(known: CrossValidation) -> dict[str, object]:
    return {
        "model": known.model_id,
        "network": known.preset,
        "data_hash": known.data_hash,
        "images": known.n_images,
        "regions": known.n_regions,
        "chosen": known.n_chosen,
        "random": known.n_random,
        "folds": [asdict(fold) for fold in known.folds],
        "estimates": _interval_facts(known.estimates),
        "random_estimates": _interval_facts(known.random_estimates),
        "notes": list(known.notes),
    }


def _interval_facts(intervals: Mapping[str, Interval]) -> dict[str, dict[str, float | None]]:
    """Return value, limits and level by name; what is not known is null."""
    return {
        name: {key: None if math.isnan(value) else value for key, value in asdict(found).items()}
        for name, found in intervals.items()
    }


def _row_lines(row: ScoreRow) -> list[str]:
    named = [
        f"{name} {row.intervals[name].summary}"
        for name in ("accuracy", "mean_dice", "nll", "ece")
        if name in row.intervals
    ]
    head = f"{row.model_id} on {row.source} ({row.n_places} on {row.n_images} images)"
    return [f"{head}: {', '.join(named)}" if named else head, f"  {row.summary}"]


def review(
    project: ProjectArgument,
    most: Annotated[int, typer.Option(help="How many to show.")] = 20,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Rank finished regions by how surely a model contradicts them that has not seen them.

    Three models are trained, each without a third of the images.

    Example: napari-active-seg review my-project
    """
    with opened(project, device=device) as session:
        run_verb(session, "Reviewing", session.trust.review)
        found = session.trust.latest_review()
        classes = session.state.schema.names
    if found is None:
        raise NothingToDoError("nothing was reviewed")
    findings = found.findings[:most]
    lines = [f"{f.region_id} in {f.image_id}: {f.describe(classes)}" for f in findings]
    facts = {
        "agreement": found.agreement,
        "words": found.summary,
        "findings": [{**asdict(f), "words": f.describe(classes)} for f in findings],
    }
    print_result(facts, as_json=as_json, text="\n".join([*lines, found.summary]))


def figures(
    project: ProjectArgument,
    out: Annotated[Path, typer.Option(help="A new folder for pictures and tables.")],
    dpi: Annotated[int, typer.Option(help="Dots per inch of the pictures.")] = 150,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Draw every figure of the calibration paper from a project, and write their numbers as tables.

    Example: napari-active-seg figures my-project --out figures/
    """
    from napari_active_seg.figures import figure_png
    from napari_active_seg.session.trust.figures import images_for_figures, project_figures

    if out.exists() and any(out.iterdir()):
        raise BadInputError(f"{out} exists and is not empty; choose another --out")
    with opened(project, device=device) as session:
        if session.state.model is not None:
            missing = [
                i for i in images_for_figures(session.project) if i not in session.state.predicted
            ]
            if missing:
                run_verb(session, "Predicting", lambda: session.predict(missing))
        drawn = list(project_figures(session.project))
    if not drawn:
        raise NothingToDoError(
            "nothing was measured in this project yet: train a model, with labelled validation "
            "images, or measure it on test images (trust --test)"
        )
    out.mkdir(parents=True, exist_ok=True)
    for named in drawn:
        (out / f"{named.name}.png").write_bytes(figure_png(named.figure, dpi=dpi))
        if named.rows:
            with (out / f"{named.name}.csv").open("w", newline="", encoding="utf-8") as file:
                csv.writer(file).writerows([named.head, *named.rows])
    lines = [f"{named.name}: {named.caption}" for named in drawn]
    facts = {"out": str(out), "figures": {named.name: named.caption for named in drawn}}
    print_result(facts, as_json=as_json, text="\n".join([*lines, f"pictures are in {out}"]))
