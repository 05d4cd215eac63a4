"""Verbs that hand labels on: export, and which formats there are."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_active_seg.cli.common import JsonOption, ProjectArgument, opened, run_verb
from napari_active_seg.cli.output import print_result, say
from napari_active_seg.export import WrittenSet, exporter_titles
from napari_active_seg.export.cutting import CUTS
from napari_active_seg.session.steps.export import ExportChoice

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the verbs to ``app``."""
    for verb in (export, formats):
        app.command()(verb)
    app.command("export-model")(export_model)


def export(
    project: ProjectArgument,
    out: Annotated[Path, typer.Option(help="A new or empty folder.")],
    format_name: Annotated[
        str, typer.Option("--format", help="Format; 'formats' lists them all.")
    ] = "masks",
    cut: Annotated[
        str, typer.Option("--as", help=f"Into what images are cut: {', '.join(CUTS)}.")
    ] = "images",
    tile: Annotated[int, typer.Option(help="Side of tiles in pixels.")] = 512,
    overlap: Annotated[int, typer.Option(help="Pixels that neighbouring tiles share.")] = 0,
    states: Annotated[
        str, typer.Option(help="done, or all: regions in any state, with what is saved of them.")
    ] = "done",
    annotator: Annotated[str | None, typer.Option(help="Only what this person saved last.")] = None,
    round_number: Annotated[
        list[int] | None, typer.Option("--round", help="Only regions of this round; repeatable.")
    ] = None,
    fill: Annotated[
        str | None,
        typer.Option(help="Class to write where nothing is labelled; else that stays explicit."),
    ] = None,
    pictures: Annotated[
        bool | None,
        typer.Option(
            "--pictures/--no-pictures",
            help="Copy the pictures too, where a format can do without; default: of regions and "
            "tiles.",
        ),
    ] = None,
    terms: Annotated[str, typer.Option(help="Terms of use, for the data card.")] = "",
    pseudonyms: Annotated[
        Path | None,
        typer.Option(help="Give images, patients and people pseudonyms; the key goes to this CSV."),
    ] = None,
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite", help="Replace an earlier export; a folder of anything else is set aside."
        ),
    ] = False,
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
    done: list[WrittenSet] = []
    with opened(project, read_only=True) as session:
        run_verb(
            session,
            "Exporting",
            lambda: session.export(format_name, out, choice=choice, on_done=done.append),
        )
    written = done[0]
    for note in written.notes:
        say(f"note: {note}")
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
    out: Annotated[Path, typer.Option(help="A new or empty folder.")],
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace what is there; it is set aside.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Write the model in use as checkpoint and ONNX, with ten lines of Python that use it.

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
