"""Verbs for studies: simulate, polygons."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from napari_active_seg.acquisition import FIRST, STRATEGIES
from napari_active_seg.cli.common import DeviceOption, JsonOption, class_names
from napari_active_seg.cli.output import print_result, showing_progress
from napari_active_seg.errors import ConfigError
from napari_active_seg.experiments import (
    CurvePoint,
    SimulationSettings,
    folder_of_labelled_images,
    polygon_study,
    write_polygon_study,
)
from napari_active_seg.experiments import simulate as run_simulation
from napari_active_seg.preset_names import PRESET_HELP
from napari_active_seg.session import Session
from napari_active_seg.uncertainty import MEASURES

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the verbs to ``app``."""
    app.command()(simulate)
    app.command()(polygons)


def simulate(
    images: Annotated[Path, typer.Option(help="Pool of images.")],
    masks: Annotated[Path, typer.Option(help="Their masks, which the simulated annotator knows.")],
    test_images: Annotated[Path, typer.Option(help="Images to measure on.")],
    test_masks: Annotated[Path, typer.Option(help="Their masks.")],
    out: Annotated[Path, typer.Option(help="A new folder for curves.csv and results.json.")],
    strategy: Annotated[
        str, typer.Option(help=f"One of {', '.join(STRATEGIES)}.")
    ] = "uncertain-regions",
    beside: Annotated[
        str, typer.Option(help="The baseline that is run beside it; none leaves it out.")
    ] = "foreground-regions",
    measure: Annotated[
        str | None, typer.Option(help=f"One of {', '.join(MEASURES)}; default the strategy's.")
    ] = None,
    classes: Annotated[str, typer.Option(help="Class names.")] = "background,object",
    size: Annotated[int, typer.Option(help="Side of a region in pixels.")] = 128,
    start: Annotated[int, typer.Option(help="Regions of the start, before any model.")] = 8,
    first: Annotated[str, typer.Option(help=f"How they are found: {', '.join(FIRST)}.")] = "random",
    count: Annotated[int, typer.Option(help="Regions per round.")] = 8,
    rounds: Annotated[int, typer.Option(help="Rounds after the start.")] = 3,
    preset: Annotated[str, typer.Option(help=PRESET_HELP)] = "fast",
    epochs: Annotated[int | None, typer.Option(help="Passes over the labels.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of everything.")] = 0,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Run the loop with masks for an annotator and measure every round on test images.

    Example: napari-active-seg simulate --images train/ --masks train-masks/
    --test-images test/ --test-masks test-masks/ --rounds 5 --out study/
    """
    from napari_active_seg.plugin import open_session

    settings = SimulationSettings(
        images=images,
        masks=masks,
        test_images=test_images,
        test_masks=test_masks,
        out=out,
        classes=class_names(classes),
        strategy=strategy,
        beside=None if beside == "none" else beside,
        measure=measure,
        size=size,
        start=start,
        first=first,
        count=count,
        rounds=rounds,
        preset=preset,
        epochs=epochs,
        seed=seed,
    )

    def open_on_device(folder: Path) -> Session:
        return open_session(folder, device=device)

    with showing_progress("Simulating") as tell:
        points = run_simulation(settings, open_on_device, on_round=tell)
    facts = {"out": str(out), "rounds": [_facts(point) for point in points]}
    print_result(facts, as_json=as_json, text="\n".join(_line(point) for point in points))


def polygons(
    images: Annotated[Path, typer.Option(help="Images.")],
    masks: Annotated[Path, typer.Option(help="Their masks.")],
    out: Annotated[Path, typer.Option(help="A folder for polygons.csv, .json and .html.")],
    classes: Annotated[str, typer.Option(help="Class names.")] = "background,object",
    tolerances: Annotated[
        str, typer.Option(help="Pixels that a polygon may be from the outline, with commas.")
    ] = "1,2,3,5,10,15,20,30,40",
    as_json: JsonOption = False,
) -> None:
    """Simplify the outlines of masks: clicks that they take, and what of the truth is kept.

    Example: napari-active-seg polygons --images train/ --masks train-masks/ --out polygons/
    """
    names = class_names(classes)
    try:
        wanted = [float(part) for part in tolerances.split(",") if part.strip()]
    except ValueError as error:
        raise ConfigError(f"tolerances are numbers with commas, got {tolerances!r}") from error
    found = folder_of_labelled_images(images, masks, n_classes=len(names))
    with showing_progress("Outlining") as tell:
        points = polygon_study(
            [(image.id, image.target) for image in found],
            wanted,
            n_classes=len(names),
            on_image=tell,
        )
    write_polygon_study(points, len(found), out)
    lines = [
        f"{p.tolerance:g} px: {p.clicks_per_image:.1f} clicks per image, "
        f"{p.mean_jaccard:.2%} mean Jaccard kept"
        for p in points
    ]
    facts = {"out": str(out), "images": len(found), "points": [asdict(p) for p in points]}
    print_result(facts, as_json=as_json, text="\n".join(lines))


def _facts(point: CurvePoint) -> dict[str, object]:
    return {
        "strategy": point.strategy,
        "round": point.round,
        "regions": point.regions,
        "labelled_share": point.labelled_share,
        **point.scores,
    }


def _line(point: CurvePoint) -> str:
    dice, ece = (point.scores.get(name, float("nan")) for name in ("mean_dice", "ece"))
    return (
        f"{point.strategy} round {point.round}: {point.regions} regions, "
        f"{point.labelled_share:.2%} of pixels, mean Dice {dice:.3f}, ECE {ece:.3f}"
    )
