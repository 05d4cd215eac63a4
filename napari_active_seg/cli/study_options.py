"""What the verbs for studies may be told."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_active_seg.acquisition import FIRST, STRATEGIES
from napari_active_seg.cli.completion import completing
from napari_active_seg.models.preset_names import PRESET_HELP, PRESET_NAMES
from napari_active_seg.uncertainty import measure_titles

__all__ = [
    "AnnotatorOption",
    "BatchOption",
    "BesideOption",
    "ClassesOption",
    "ConfigOption",
    "DatasetOption",
    "FirstOption",
    "FolderOption",
    "ImagesOption",
    "KeepOption",
    "MasksOption",
    "MeasureOption",
    "OutOption",
    "PresetOption",
    "ReferenceOption",
    "RoundsOption",
    "ScoreOption",
    "SeedsOption",
    "SetOption",
    "ShrinkOption",
    "SizeOption",
    "StartOption",
    "StrategyOption",
    "TestImagesOption",
    "TestMasksOption",
    "ValidationOption",
    "WorkersOption",
]

OutOption = Annotated[
    Path, typer.Option(help="A folder for the study; one that was stopped goes on.")
]
WorkersOption = Annotated[
    int,
    typer.Option(help="Arms that run side by side; 0 is one a core, or one on a GPU."),
]
SeedsOption = Annotated[str, typer.Option(help="Seeds, with commas; three or more give a band.")]
ImagesOption = Annotated[Path | None, typer.Option(help="Pool of images.")]
MasksOption = Annotated[
    Path | None, typer.Option(help="Their masks, which the simulated annotator knows.")
]
TestImagesOption = Annotated[Path | None, typer.Option(help="Images to measure on.")]
TestMasksOption = Annotated[Path | None, typer.Option(help="Their masks.")]
DatasetOption = Annotated[
    str | None, typer.Option(help="In place of the folders: one of 'datasets'.")
]
FolderOption = Annotated[Path | None, typer.Option(help="Where that data set lies.")]
ConfigOption = Annotated[
    Path | None, typer.Option(help="A study.json to run in place of all options.")
]
StrategyOption = Annotated[
    str,
    typer.Option(
        help=f"One or more, with commas, of {', '.join(STRATEGIES)}.",
        autocompletion=completing(STRATEGIES),
    ),
]
BesideOption = Annotated[
    str, typer.Option(help="The baseline that is run beside it; none leaves it out.")
]
MeasureOption = Annotated[
    str | None,
    typer.Option(
        help=f"One of {', '.join(measure_titles())}; default the strategy's.",
        autocompletion=completing(measure_titles()),
    ),
]
ClassesOption = Annotated[str, typer.Option(help="Class names.")]
ShrinkOption = Annotated[float, typer.Option(help="Divide the sides of all images by this.")]
SizeOption = Annotated[int, typer.Option(help="Side of a region in pixels.")]
StartOption = Annotated[
    str,
    typer.Option(help="What is labelled before any model: 8, 50000px, 5images, 10% or 300clicks."),
]
FirstOption = Annotated[
    str,
    typer.Option(help=f"How regions are: {', '.join(FIRST)}.", autocompletion=completing(FIRST)),
]
BatchOption = Annotated[
    str, typer.Option(help="What a round asks for: 8, 5%, 50000px, 300clicks or 10min.")
]
RoundsOption = Annotated[int, typer.Option(help="Rounds after the start.")]
PresetOption = Annotated[
    str, typer.Option(help=PRESET_HELP, autocompletion=completing(PRESET_NAMES))
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", help="A setting of the projects: steps=500, restarts=4, weights=FILE."),
]
AnnotatorOption = Annotated[
    list[str] | None,
    typer.Option(
        help="What the annotator is like, such as tolerance=10, jitter=1, missed=0.05, "
        "noise=0.3, fatigue=0.2."
    ),
]
ValidationOption = Annotated[int, typer.Option(help="Images to choose among restarts by.")]
ReferenceOption = Annotated[bool, typer.Option(help="Train on all labels too.")]
ScoreOption = Annotated[str, typer.Option(help="What is looked at first.")]
KeepOption = Annotated[bool, typer.Option(help="Keep every checkpoint.")]
