"""Where words go: results to stdout, everything else to stderr, progress as bar or lines."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

__all__ = ["Tell", "be_quiet", "echo", "print_result", "showing_progress"]

_errors = Console(stderr=True, highlight=False)
#: Up to so many steps each gets a line in a log; of more, every quarter does.
_FEW_STEPS = 20


_quiet = False


def be_quiet(quiet: bool) -> None:
    """Say nothing from now on but results and errors."""
    global _quiet
    _quiet = quiet


class Tell(Protocol):
    """Takes how far a piece of work is."""

    def __call__(self, done: int, total: int, text: str = "") -> None:
        """Show ``done`` of ``total`` and a few words."""


def echo(text: str, *, always: bool = False) -> None:
    """Tell the person something, on stderr; in quiet only what is to be said ``always``."""
    if always or not _quiet:
        _errors.print(text, markup=False, soft_wrap=True)  # one line stays one line in a log


def print_result(facts: Mapping[str, Any], *, as_json: bool, text: str) -> None:
    """Print a result on stdout: one JSON object, or the same in words."""
    sys.stdout.write((json.dumps(facts, ensure_ascii=False) if as_json else text) + "\n")


@contextmanager
def showing_progress(title: str) -> Iterator[Tell]:
    """Yield a function that shows progress: a bar on a terminal, a few lines in a log."""
    if _quiet:
        yield _show_nothing
        return
    if _errors.is_terminal:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[text]}"),
        )
        with Progress(*columns, console=_errors) as progress:
            task = progress.add_task(title, total=None, text="")

            def on_bar(done: int, total: int, text: str = "") -> None:
                progress.update(task, completed=done, total=total, text=text)

            yield on_bar
        return
    last = -1

    def on_line(done: int, total: int, text: str = "") -> None:
        nonlocal last
        now = done if total <= _FEW_STEPS else 4 * done // max(total, 1)
        if now != last:
            last = now
            echo(f"{title} {done}/{total} {text}".rstrip())

    yield on_line


def _show_nothing(done: int, total: int, text: str = "") -> None:
    """Show nothing."""
