"""Verbs of the loop: predict, train, evaluate."""

from __future__ import annotations

import math
import os
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from napari_active_seg.cli.completion import completing
from napari_active_seg.cli.console import echo, print_result
from napari_active_seg.cli.option_fields import NONE_GIVEN, add_options
from napari_active_seg.cli.options import (
    DeviceOption,
    JsonOption,
    MasksAsOption,
    ProjectArgument,
    describe_convention,
    opened,
    pair,
    run_verb,
)
from napari_active_seg.errors import ConfigError, OneClassError
from napari_active_seg.metrics import Interval
from napari_active_seg.models.inference_options import InferenceOptions
from napari_active_seg.models.preset_names import PRESET_HELP, PRESET_NAMES
from napari_active_seg.models.training_options import TrainingOptions
from napari_active_seg.project import explain_missing_validation
from napari_active_seg.session import Session, TrainingResult
from napari_active_seg.session.prediction.folder import FolderResult
from napari_active_seg.session.training.inputs import TrainingChoices
from napari_active_seg.uncertainty import measure_titles

__all__ = ["register"]

_MEASURES = ", ".join(measure_titles())
_TRAINING = tuple(TrainingOptions.list_fields())


def register(app: typer.Typer) -> None:
    """Add the verbs to ``app``."""
    for verb in (predict, train, evaluate):
        app.command()(verb)


@add_options(InferenceOptions, only=("samples", "uncertainty_from"))
def predict(
    project: ProjectArgument,
    measure: Annotated[
        str | None,
        typer.Option(
            help=f"Uncertainty to write: {_MEASURES}.", autocompletion=completing(measure_titles())
        ),
    ] = None,
    options: Mapping[str, Any] = NONE_GIVEN,
    images: Annotated[
        Path | None, typer.Option(help="Predict this folder instead of the project's images.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Where masks and maps of --images go.")] = None,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Predict images with the model in use.

    With --images and --out a whole folder goes into masks, maps of probability and uncertainty,
    objects, and tables of measurements. The same command resumes where it was stopped. Files that
    cannot be read are left out: each is named, and has a row in images.csv that says why. The exit
    code is 0 all the same, and 1 where none can be read.

    Example: napari-active-seg predict my-project --images new/ --out predicted/
    """
    samples, source = options.get("samples"), options.get("uncertainty_from")
    if (images is None) != (out is None):
        raise ConfigError("--images and --out must be given together")
    with opened(project, device=device, read_only=images is not None and source is None) as session:
        if measure is not None:
            session.set_measure(measure)
        if images is not None and out is not None:
            folder, target = images, out
            with _kept_if_it_works(session, source):
                response = run_verb(
                    session,
                    "Predicting",
                    lambda: session.predictions.predict_folder(
                        folder, target, measure=measure, samples=samples
                    ),
                )
            _print_folder(target, response, session, as_json=as_json)
            return
        with _kept_if_it_works(session, source):
            run_verb(session, "Predicting", lambda: session.predict(samples=samples))
        state = session.state
        left_out = [i for i in state.image_ids if i not in state.predicted]
    model, count = state.model.id if state.model else None, len(state.predicted)
    facts = {"model": model, "images": count, "left_out": left_out}
    text = f"{count} images predicted by {model}"
    if left_out:
        text += f"; {len(left_out)} could not be read and are left out: {', '.join(left_out)}"
    print_result(facts, as_json=as_json, text=text)


@contextmanager
def _kept_if_it_works(session: Session, uncertainty_from: str | None) -> Iterator[None]:
    """Keep the source of uncertainty from now on, unless what is done with it fails."""
    if uncertainty_from is None:
        yield
        return
    before = session.project.config.inference.uncertainty_from
    session.maintenance.configure(uncertainty_from=uncertainty_from)
    try:
        yield
    except BaseException:
        session.maintenance.configure(uncertainty_from=before)
        raise


def _print_folder(out: Path, done: FolderResult, session: Session, *, as_json: bool) -> None:
    for problem in done.problems:
        echo(f"left out: {problem}", always=True)
    model = session.state.model
    facts = {
        "out": str(out),
        "model": None if model is None else model.id,
        "images": done.images,
        "objects": done.objects,
        "there_before": done.before,
        "left_out": list(done.problems),
    }
    text = (
        f"{done.images} images with {done.objects} objects are in {out}: masks, maps, objects, "
        "images.csv and objects.csv"
    )
    if done.problems:
        text += f"; {len(done.problems)} files could not be read and are left out"
    print_result(facts, as_json=as_json, text=text)


@add_options(TrainingOptions)
def train(
    project: ProjectArgument,
    preset: Annotated[
        str | None, typer.Option(help=PRESET_HELP, autocompletion=completing(PRESET_NAMES))
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(help="Passes over the labels; default is the preset's own.")
    ] = None,
    options: Mapping[str, Any] = NONE_GIVEN,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help=f"For this training alone, as loss=focal. {', '.join(_TRAINING)}.",
            autocompletion=completing(f"{key}=" for key in _TRAINING),
        ),
    ] = None,
    accept_worse: Annotated[
        bool, typer.Option(help="Use the new model even if the validation scores it lower.")
    ] = False,
    from_start: Annotated[
        bool, typer.Option(help="Forget a training that was killed or stopped; do not go on.")
    ] = False,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Train on all finished regions; the better model on the validation images is in use then.

    Under torchrun all processes share each batch, as one process would see it.

    Example: napari-active-seg train my-project --preset fast
    """
    chosen: dict[str, Any] = dict(pair(text, "--set") for text in settings or ())
    chosen |= options if preset is None else {"preset": preset, **options}
    helping = int(os.environ.get("RANK", "0")) > 0
    with opened(project, device=device, read_only=helping) as session:
        session.project.config.with_changes(**chosen)  # refuses at once what cannot be

        if helping:  # the first process saves and prints
            session.training.join(
                TrainingChoices(epochs=epochs, resume=not from_start, settings=chosen)
            )
            return
        unmeasured = explain_missing_validation(session.project.images.placements().values())
        if unmeasured:
            echo(f"warning: {unmeasured}")
        try:
            run_verb(
                session,
                "Training",
                lambda: session.train(
                    epochs=epochs,
                    settings=chosen,
                    accept_worse=accept_worse,
                    resume=not from_start,
                ),
            )
        except OneClassError as error:
            if not error.remedies:
                raise
            rule = f"--set unpainted={session.labels.background} --apply-unpainted"
            raise OneClassError(f"{error} ('config {project} {rule}')") from error
        training = session.last_training
    if training is None:
        raise ConfigError("the training ended without a model")
    use = f"napari-active-seg models {shlex.quote(str(project))} --use {{model}}"
    in_use = training.model.id if training.model.in_use else training.compared_with
    verdict = training.verdict_when_using(in_use, choice=f"to use {{model}}: {use}")
    facts, text = _training_facts(training, verdict), _describe_training(training, verdict)
    print_result(facts, as_json=as_json, text=text)


def _training_facts(training: TrainingResult, verdict: str) -> dict[str, object]:
    model, outcome = training.model, training.outcome
    return {
        "model": model.id,
        "in_use": model.in_use,
        "preset": model.preset,
        "starts_from": training.origin,
        "regions": training.n_regions,
        "seconds": training.seconds,
        "steps": len(training.losses),
        "resumed_at": outcome.resumed_at,
        "final_loss": training.losses[-1],
        "losses": list(training.losses),
        "held_out": [list(looked) for looked in outcome.held_out],
        "validation": dict(model.metrics),
        "verdict": verdict,
        "notes": list(training.notes),
    }


def _describe_training(training: TrainingResult, verdict: str) -> str:
    model = training.model
    dice = model.metrics.get("mean_dice")
    score = "no labelled validation image" if dice is None else f"mean Dice {dice:.3f}"
    lines = [
        f"{model.id} ({model.preset}) trained on {training.n_regions} regions in "
        f"{training.seconds:.1f} s from {training.origin}: {score}"
    ]
    if training.outcome.resumed_at:
        lines.append(f"went on from step {training.outcome.resumed_at} of an earlier try")
    return "\n".join([*lines, *training.notes, *filter(None, [verdict])])


def evaluate(
    project: ProjectArgument,
    images: Annotated[
        Path | None, typer.Option(help="Folder of images; default is the project's validation.")
    ] = None,
    masks: Annotated[Path | None, typer.Option(help="Masks of --images.")] = None,
    masks_as: MasksAsOption = "auto",
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Measure the model in use: pixels, borders, objects, probabilities, with their intervals.

    On the project's validation a calibration is left out, since it was fitted there.

    Example: napari-active-seg evaluate my-project --images test/ --masks test-masks/ --json
    """
    from napari_active_seg.studies import folder_of_labelled_images

    if (images is None) != (masks is None):
        raise ConfigError("--images and --masks go together")
    if masks_as != "auto" and masks is None:
        raise ConfigError("--as says how --masks are meant; give --images and --masks too")
    with opened(project, device=device, read_only=True) as session:
        chosen = None
        if images is not None and masks is not None:
            schema = session.state.schema
            chosen = folder_of_labelled_images(images, masks, schema, masks_as=masks_as)
        labelled = None if chosen is None else chosen.images
        report = run_verb(session, "Measuring", lambda: session.evaluate(labelled))
        model = session.state.model
    facts: dict[str, object] = {
        "model": model.id if model else None,
        "images": len(report.image_ids),
        "pixels": report.confusion.n_pixels,
        **report.figures(),
    }
    intervals = report.intervals()
    text = "\n".join(_figure_line(name, value, intervals) for name, value in facts.items())
    if chosen is not None:
        facts["masks_read_as"] = chosen.convention
        text += f"\n{describe_convention(chosen.convention)}"
    facts["by_image"] = report.figures_by_image()
    facts["intervals"] = {name: asdict(found) for name, found in intervals.items()}
    print_result(facts, as_json=as_json, text=text)


def _figure_line(name: str, value: object, intervals: Mapping[str, Interval]) -> str:
    if name in intervals and not math.isnan(intervals[name].low):
        return f"{name}: {intervals[name].summary}, 95 % over images"
    return f"{name}: {value:.4f}" if isinstance(value, float) else f"{name}: {value}"
