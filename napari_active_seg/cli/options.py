"""Options and helpers that several verbs share."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from napari_active_seg.cli.console import echo, showing_progress
from napari_active_seg.errors import ConfigError
from napari_active_seg.importers import MaskConvention
from napari_active_seg.jobs import Progress
from napari_active_seg.session import Session
from napari_active_seg.session.labels.task import LabelResponse

__all__ = [
    "DeviceOption",
    "JsonOption",
    "MasksAsOption",
    "ProjectArgument",
    "class_names",
    "describe_convention",
    "describe_settings",
    "opened",
    "pair",
    "reading_facts",
    "run_verb",
    "side_by_side",
]

T = TypeVar("T")
ProjectArgument = Annotated[Path, typer.Argument(help="The project folder.", metavar="PROJECT")]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print one JSON object on stdout; logs go to stderr.")
]
MasksAsOption = Annotated[
    str,
    typer.Option(
        "--as",
        help="How masks are meant: auto, index (0 to K-1, 255 not labelled), binary (0 / 255), "
        "instances (ids), napari (0 not labelled, 1 to K) or colours.",
    ),
]
DeviceOption = Annotated[str, typer.Option(help="auto, cpu or cuda.")]


@contextmanager
def opened(folder: Path, *, device: str = "auto", read_only: bool = False) -> Iterator[Session]:
    """Yield a session of a project, and close it.

    ``read_only`` is for verbs that change nothing: they run while somebody else holds it.
    """
    from napari_active_seg.api import open_session

    session = open_session(folder, device=device, read_only=read_only)
    try:
        yield session
    finally:
        session.close()


def run_verb(session: Session, title: str, verb: Callable[[], T]) -> T:
    """Run a verb while its progress is shown, and return its result."""
    with showing_progress(title) as tell:

        def on_progress(progress: Progress) -> None:
            tell(progress.done, progress.total, progress.text)

        session.progressed.connect(on_progress)
        try:
            return verb()
        finally:
            session.progressed.disconnect(on_progress)


def class_names(text: str) -> tuple[str, ...]:
    """Return the names of a list such as ``background,gland``."""
    return tuple(name.strip() for name in text.split(","))


def describe_settings(changes: Mapping[str, object]) -> tuple[str, ...]:
    """Return the line with which a study says what --set changed; nothing where nothing was."""
    words = ", ".join(f"{name}={value}" for name, value in changes.items())
    return (f"Asked for by --set, whatever is said above: {words}.",) if words else ()


def side_by_side(workers: int, device: str, threads: int) -> tuple[int, str]:
    """Return how many arms of a study run at once, and what they run on in words.

    A device that is not there is refused, before any data are prepared.
    """
    from napari_active_seg.learning import resolve_device

    kind = resolve_device(device).type
    beside = workers or (1 if kind == "cuda" else max(1, os.cpu_count() or 1))
    return beside, f"{kind} device, {threads} thread(s) an arm, {beside} side by side"


def describe_convention(convention: MaskConvention, *, whose: str = "masks") -> str:
    """Return the line that says how masks were read, and how that is changed."""
    return f"{whose} read as {convention.describe()} (--as reads them otherwise)"


def reading_facts(response: LabelResponse) -> dict[str, object]:
    """Return how labels were read, for JSON; notes are printed."""
    for note in response.notes:
        echo(f"note: {note}")
    return {"masks_read_as": response.convention, "notes": list(response.notes)}


def pair(text: str, option: str) -> tuple[str, str]:
    """Return the two sides of NAME=VALUE; ConfigError names the ``option`` that wants them."""
    key, equals, value = text.partition("=")
    if not equals or not key.strip() or not value.strip():
        raise ConfigError(f"{option} wants NAME=VALUE, got {text!r}")
    return key.strip(), value.strip()
