"""Verbs of the loop: predict, propose, train, evaluate."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_active_seg.acquisition import STRATEGIES
from napari_active_seg.cli.common import DeviceOption, JsonOption, ProjectArgument, opened, run_verb
from napari_active_seg.cli.output import print_result
from napari_active_seg.errors import ConfigError
from napari_active_seg.metrics import EvalReport
from napari_active_seg.preset_names import PRESET_HELP
from napari_active_seg.sampling_plan import METHODS
from napari_active_seg.uncertainty import MEASURES

__all__ = ["register"]

_MEASURES = ", ".join(MEASURES)


def register(app: typer.Typer) -> None:
    """Add the verbs to ``app``."""
    for verb in (predict, propose, train, evaluate):
        app.command()(verb)


def predict(
    project: ProjectArgument,
    measure: Annotated[str | None, typer.Option(help=f"Uncertainty to write: {_MEASURES}.")] = None,
    samples: Annotated[
        int | None, typer.Option(help="Monte-Carlo dropout passes; 1 is a plain pass.")
    ] = None,
    sampling: Annotated[
        str | None,
        typer.Option(help=f"Whose opinions count, from now on: {', '.join(METHODS)}."),
    ] = None,
    images: Annotated[
        Path | None, typer.Option(help="Predict this folder instead of the project's images.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Where masks and maps of --images go.")] = None,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Predict images with the model in use.

    Example: napari-active-seg predict my-project --images new/ --out predicted/
    """
    if (images is None) != (out is None):
        raise ConfigError("--images and --out go together: one says what, the other where to")
    with opened(
        project, device=device, read_only=images is not None and sampling is None
    ) as session:
        if sampling is not None:
            session.upkeep.configure(sampling=sampling)
        if measure is not None:
            session.set_measure(measure)
        if images is not None and out is not None:
            folder, target = images, out
            run_verb(
                session,
                "Predicting",
                lambda: session.predict_folder(folder, target, measure=measure, samples=samples),
            )
            facts = {"out": str(out), "model": session.state.models[-1].id}
            print_result(facts, as_json=as_json, text=f"masks and uncertainty maps are in {out}")
            return
        run_verb(session, "Predicting", lambda: session.predict(samples=samples))
        state = session.state
        count = len(state.predicted)
    model = state.model.id if state.model else None
    facts2 = {"model": model, "images": count}
    print_result(facts2, as_json=as_json, text=f"{count} images predicted by {model}")


def propose(
    project: ProjectArgument,
    count: Annotated[int | None, typer.Option(help="How many regions.")] = None,
    size: Annotated[int | None, typer.Option(help="Side of a region in pixels.")] = None,
    measure: Annotated[str | None, typer.Option(help=f"Uncertainty: {_MEASURES}.")] = None,
    strategy: Annotated[str | None, typer.Option(help=f"One of {', '.join(STRATEGIES)}.")] = None,
    stride: Annotated[
        int | None, typer.Option(help="Pixels between windows; default a quarter of the size.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of draws and ties.")] = None,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Choose the regions to label next; without a model they are drawn over tissue.

    Example: napari-active-seg propose my-project --count 8 --size 128 --measure bald --json
    """
    with opened(project, device=device) as session:
        run_verb(
            session,
            "Proposing",
            lambda: session.propose(
                count=count,
                size=size,
                measure=measure,
                strategy=strategy,
                stride=stride,
                seed=seed,
            ),
        )
        state = session.state
    latest = [queued for queued in state.queue if queued.round == state.round]
    facts = {
        "round": state.round,
        "strategy": strategy or session.project.config.strategy,
        "measure": measure or state.measure,
        "model": state.model.id if state.model else None,
        "regions": [
            {
                "id": q.id,
                "image": q.region.image_id,
                "y": q.region.y,
                "x": q.region.x,
                "height": q.region.height,
                "width": q.region.width,
                "kind": q.kind,
                "information": q.information,
                "cost_s": q.cost,
                "reason": q.reason,
            }
            for q in latest
        ],
    }
    lines = [
        f"{q.region.image_id}  y {q.region.y}, x {q.region.x}, {q.region.height} x "
        f"{q.region.width}  score {q.information:.4f}  {q.reason}"
        for q in latest
    ]
    print_result(facts, as_json=as_json, text="\n".join(lines))


def train(
    project: ProjectArgument,
    preset: Annotated[str | None, typer.Option(help=PRESET_HELP)] = None,
    epochs: Annotated[
        int | None, typer.Option(help="Passes over the labels; default is the preset's own.")
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option(help="Where the encoder starts: pretrained, random, or a file of weights."),
    ] = None,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Train on all finished regions and put the model in use.

    Example: napari-active-seg train my-project --preset fast
    """
    with opened(project, device=device) as session:
        run_verb(
            session,
            "Training",
            lambda: session.train(preset=preset, epochs=epochs, weights=weights),
        )
        model, training = session.state.model, session.last_training
    if model is None or training is None:
        raise ConfigError("the training ended without a model")
    facts = {
        "model": model.id,
        "preset": model.preset,
        "starts_from": training.segmenter.origin,
        "regions": len(training.request.labels),
        "seconds": training.seconds,
        "final_loss": training.losses[-1],
        "validation": dict(model.metrics),
    }
    dice = model.metrics.get("mean_dice")
    score = "no labelled validation image" if dice is None else f"mean Dice {dice:.3f}"
    print_result(
        facts,
        as_json=as_json,
        text=f"{model.id} ({model.preset}) trained on {facts['regions']} regions in "
        f"{training.seconds:.1f} s from {training.segmenter.origin}: {score}",
    )


def evaluate(
    project: ProjectArgument,
    images: Annotated[
        Path | None, typer.Option(help="Folder of images; default is the project's validation.")
    ] = None,
    masks: Annotated[Path | None, typer.Option(help="Masks of --images.")] = None,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Measure the model in use: Dice, Jaccard, NLL, Brier, calibration error.

    Example: napari-active-seg evaluate my-project --images test/ --masks test-masks/ --json
    """
    from napari_active_seg.experiments.simulate import folder_of_labelled_images

    if (images is None) != (masks is None):
        raise ConfigError("--images and --masks go together")
    reports: list[EvalReport] = []
    with opened(project, device=device, read_only=True) as session:
        chosen = None
        if images is not None and masks is not None:
            chosen = folder_of_labelled_images(images, masks, n_classes=len(session.state.schema))
        run_verb(
            session,
            "Measuring",
            lambda: session.evaluate(images=chosen, on_report=reports.append),
        )
        model = session.state.model
    report = reports[0]
    facts = {
        "model": model.id if model else None,
        "images": len(report.image_ids),
        "pixels": report.confusion.n_pixels,
        **report.figures(),
    }
    text = "\n".join(
        f"{name}: {value:.4f}" if isinstance(value, float) else f"{name}: {value}"
        for name, value in facts.items()
    )
    print_result(facts, as_json=as_json, text=text)
