"""The verb for a class per image, in addition to the mask."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from napari_active_seg.cli.completion import completing
from napari_active_seg.cli.console import print_result
from napari_active_seg.cli.options import (
    DeviceOption,
    JsonOption,
    ProjectArgument,
    class_names,
    opened,
    pair,
    run_verb,
)
from napari_active_seg.project import CANT_TELL
from napari_active_seg.session import Session
from napari_active_seg.session.image_classes.service import NO_DIAGNOSIS
from napari_active_seg.session.image_classes.table import read_image_classes, write_image_classes
from napari_active_seg.uncertainty import measure_titles

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the verb to ``app``."""
    app.command("image-classes")(image_classes)


def image_classes(
    project: ProjectArgument,
    classes: Annotated[
        str | None, typer.Option(help="What images may be, as benign,malignant.")
    ] = None,
    source: Annotated[
        Path | None,
        typer.Option("--from", help="A CSV with columns image and class (or diagnosis) to take."),
    ] = None,
    say: Annotated[
        list[str] | None, typer.Option(help="What an image is, as IMAGE=CLASS; repeatable.")
    ] = None,
    ask: Annotated[
        str | None,
        typer.Option(
            help="Number of images to ask about, or minutes (10min); the least certain first."
        ),
    ] = None,
    measure: Annotated[
        str | None,
        typer.Option(
            help=f"Uncertainty: {', '.join(measure_titles())}.",
            autocompletion=completing(measure_titles()),
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Write the class of each image to a CSV.")
    ] = None,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Say what images as a whole are, and ask about those of which a second head is unsure.

    Example: napari-active-seg image-classes my-project --classes benign,malignant --ask 10
    """
    changes = any(value for value in (classes, source, say, ask))
    with opened(project, device=device, read_only=not changes) as session:
        service = session.image_classes
        if classes is not None:
            service.name(*class_names(classes))
        if source is not None:
            for image_id, name in read_image_classes(source, session.state.image_ids).items():
                service.say(image_id, name)
        for text in say or ():
            image_id, name = pair(text, "--say")
            service.say(image_id, name)
        before = {asked.id for asked in session.state.questions}
        if ask is not None:
            run_verb(session, "Asking about images", lambda: service.ask(ask, measure=measure))
        if out is not None:
            write_image_classes(out, service, session.state.image_ids)
        _tell(session, before, as_json=as_json)


def _tell(session: Session, before: set[str], *, as_json: bool) -> None:
    """Print how many images are of each class, what was asked, and how the head did."""
    service, state = session.image_classes, session.state
    counts = Counter(answer.name or CANT_TELL for answer in service.answers().values())
    new = [asked for asked in state.questions if asked.id not in before]
    facts = {
        "classes": list(service.classes),
        "said": dict(counts),
        "asked": [
            {"image": q.region.image_id, "score": q.information, "seconds": q.cost,
             "reason": q.reason}
            for q in new
        ],
        "waiting": len(state.open_questions),
        "second_head": service.summary,
        "note": NO_DIAGNOSIS,
    }  # fmt: skip
    lines = [f"{name}: {counts[name]}" for name in (*service.classes, CANT_TELL) if counts[name]]
    lines += [f"{q.region.image_id}  score {q.information:.4f}  {q.reason}" for q in new]
    if service.summary:
        lines.append(f"{service.summary} ({NO_DIAGNOSIS})")
    if not lines:
        lines = ["No image is said to be anything; say what they may be with --classes."]
    print_result(facts, as_json=as_json, text="\n".join(lines))
