"""Verbs that hand labels on: export, and which formats there are."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_active_seg.cli.completion import completing
from napari_active_seg.cli.console import echo, print_result
from napari_active_seg.cli.options import JsonOption, ProjectArgument, opened, run_verb
from napari_active_seg.export import exporter_titles
from napari_active_seg.export.tiling import CUTS
from napari_active_seg.session.export import ExportChoice

__all__ = ["register"]


_Out = Annotated[Path, typer.Option(help="A new or empty folder.")]
_Format = Annotated[
    str,
    typer.Option(
        "--format",
        help="Format; 'formats' lists them all.",
        autocompletion=completing(exporter_titles()),
    ),
]
_Cut = Annotated[
    str,
    typer.Option(
        "--as",
        help=f"Into what images are cut: {', '.join(CUTS)}.",
        autocompletion=completing(CUTS),
    ),
]
_Tile = Annotated[int, typer.Option(help="Side of tiles in pixels.")]
_Overlap = Annotated[int, typer.Option(help="Pixels that neighbouring tiles share.")]
_States = Annotated[
    str, typer.Option(help="done, or all: regions in any state, with what is saved of them.")
]
_Annotator = Annotated[str | None, typer.Option(help="Only what this person saved last.")]
_Rounds = Annotated[
    list[int] | None, typer.Option("--round", help="Only regions of this round; repeatable.")
]
_Fill = Annotated[
    str | None,
    typer.Option(help="Class to write where nothing is labelled; else that stays explicit."),
]
_Pictures = Annotated[
    bool | None,
    typer.Option(
        "--pictures/--no-pictures",
        help="Copy the pictures too, where a format can do without; default: of regions and tiles, "
        "and always for coco.",
    ),
]
_Terms = Annotated[str, typer.Option(help="Terms of use, for the data card.")]
_Pseudonyms = Annotated[
    Path | None,
    typer.Option(help="Give images, patients and people pseudonyms; the key goes to this CSV."),
]
_Overwrite = Annotated[
    bool,
    typer.Option(
        "--overwrite", help="Replace an earlier export; a folder of anything else is set aside."
    ),
]


def register(app: typer.Typer) -> None:
    """Add the verbs to ``app``."""
    for verb in (export, formats):
        app.command()(verb)
    app.command("export-model")(export_model)


def export(
    project: ProjectArgument,
    out: _Out,
    format_name: _Format = "masks",
    cut: _Cut = "images",
    tile: _Tile = 512,
    overlap: _Overlap = 0,
    states: _States = "done",
    annotator: _Annotator = None,
    round_number: _Rounds = None,
    fill: _Fill = None,
    pictures: _Pictures = None,
    terms: _Terms = "",
    pseudonyms: _Pseudonyms = None,
    overwrite: _Overwrite = False,
    as_json: JsonOption = False,
) -> None:
    """Write labels for other tools, with where each came from; unlabelled is never background.

    Example: napari-active-seg export my-project --format coco --as tiles --tile 512 --out labelled/
    """
    choice = ExportChoice(
        cut=cut,
        tile=tile,
        overlap=overlap,
        states=states,
        annotator=annotator,
        rounds=tuple(round_number or ()),
        fill=fill,
        pictures=pictures,
        terms=terms,
        pseudonyms=pseudonyms,
        overwrite=overwrite,
    )
    with opened(project, read_only=True) as session:
        written = run_verb(
            session, "Exporting", lambda: session.export(format_name, out, choice=choice)
        )
    for note in written.notes:
        echo(f"note: {note}")
    facts = {
        "out": str(out),
        "format": format_name,
        "images": written.images,
        "pieces": written.pieces,
        "regions": written.regions,
        "left_out": list(written.left_out),
    }
    text = f"{written.regions} regions of {written.images} images are in {out}"
    print_result(facts, as_json=as_json, text=text)


def export_model(
    project: ProjectArgument,
    out: _Out,
    overwrite: _Overwrite = False,
    as_json: JsonOption = False,
) -> None:
    """Write the model in use as checkpoint and ONNX, with a Python script that uses it.

    Example: napari-active-seg export-model my-project --out model/
    """
    with opened(project, device="cpu", read_only=True) as session:
        run_verb(
            session,
            "Writing the model",
            lambda: session.predictions.export_model(out, overwrite=overwrite),
        )
        model = session.state.model
    facts = {"out": str(out), "model": None if model is None else model.id}
    print_result(facts, as_json=as_json, text=f"{facts['model']} is in {out}, with predict.py")


def formats(as_json: JsonOption = False) -> None:
    """List the formats that 'export' writes.

    Example: napari-active-seg formats
    """
    titles = exporter_titles()
    width = max(map(len, titles))
    text = "\n".join(f"{name:<{width}}  {title}" for name, title in titles.items())
    print_result(titles, as_json=as_json, text=text)
