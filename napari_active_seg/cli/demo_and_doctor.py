"""Verbs that show: demo and doctor."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated

import typer

from napari_active_seg._version import __version__
from napari_active_seg.cli.console import echo, print_result, showing_progress
from napari_active_seg.cli.options import JsonOption

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the verbs to ``app``."""
    for verb in (demo, doctor):
        app.command()(verb)


def demo(
    headless: Annotated[
        bool, typer.Option(help="Drive the window by itself, on a virtual screen if need be.")
    ] = False,
    out: Annotated[
        Path,
        typer.Option(
            help="Folder for the sample project, screenshots and report; NAME-2 if it is taken."
        ),
    ] = Path("demo-output"),
    as_json: JsonOption = False,
) -> None:
    """Show the loop on drawn histology.

    With a display: a window with a prediction, its uncertainty and the first proposed regions,
    ready to paint in. Without one, or with --headless: the same window on a virtual screen,
    driven through one whole lap by a simulated annotator.

    Example: napari-active-seg demo
    """
    from napari_active_seg.gui.virtual_display import has_display, virtual_display

    _require_qt()
    from napari_active_seg.api import desktop_backend
    from napari_active_seg.gui.demo import run_demo

    alone = headless or not has_display()
    if alone and not has_display():
        echo("no display: the window opens on a virtual screen")
        with virtual_display(), showing_progress("Demo") as tell:
            lines = run_demo(desktop_backend(), out, by_itself=True, tell=tell)
    else:
        with showing_progress("Demo") as tell:
            lines = run_demo(desktop_backend(), out, by_itself=alone, tell=tell)
    print_result({"lines": list(lines)}, as_json=as_json, text="\n".join(lines))


def doctor(as_json: JsonOption = False) -> None:
    """Say what is installed, which device is used, and what is missing.

    Example: napari-active-seg doctor
    """
    from napari_active_seg.gui.virtual_display import has_display
    from napari_active_seg.learning import device_facts

    facts = {
        "napari-active-seg": __version__,
        "Python": sys.version.split()[0],
        "system": platform.platform(),
        "napari": _version_of("napari"),
        "torchvision": _version_of("torchvision"),
        "window toolkit": _qt_binding() or "none: pip install 'napari-active-seg[all]'",
        "display": "there" if has_display() else _describe_virtual_display(),
        **device_facts(),
        "free disk here": f"{shutil.disk_usage(Path.cwd()).free / 2**30:.0f} GiB",
    }
    text = "\n".join(f"{name}: {value}" for name, value in facts.items())
    print_result(facts, as_json=as_json, text=text)


def _require_qt() -> None:
    from napari_active_seg.errors import MissingExtraError

    if _qt_binding() is None:
        raise MissingExtraError(
            "the window needs a Qt binding: pip install 'napari-active-seg[all]'"
        )


def _qt_binding() -> str | None:
    for name in ("PyQt6", "PySide6", "PyQt5"):
        if importlib.util.find_spec(name) is not None:
            return f"{name} {_version_of(name)}"
    return None


def _version_of(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _describe_virtual_display() -> str:
    if os.name == "posix" and shutil.which("Xvfb"):
        return "none; a virtual one can be started (Xvfb)"
    return "none"
