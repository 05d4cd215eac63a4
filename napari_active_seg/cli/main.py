"""The application: verbs, and one place where errors become exit codes.

0 is success, 2 bad arguments, 1 a failure. An error is one line that names the remedy;
``--debug``, anywhere on the line, adds the traceback.
"""

from __future__ import annotations

import logging
import sys
import warnings

import typer
from rich.logging import RichHandler

from napari_active_seg._version import __version__
from napari_active_seg.cli import (
    care_verbs,
    export_verbs,
    loop_verbs,
    project_verbs,
    propose_verbs,
    show_verbs,
    study_verbs,
    trust_verbs,
)
from napari_active_seg.cli.output import say
from napari_active_seg.errors import ActiveSegError, ConfigError, SchemaError

__all__ = ["app", "main"]

app = typer.Typer(
    name="napari-active-seg",
    help="Active learning for medical image segmentation, inside napari and without it.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for verbs in (
    show_verbs,
    project_verbs,
    propose_verbs,
    loop_verbs,
    trust_verbs,
    care_verbs,
    export_verbs,
    study_verbs,
):
    verbs.register(app)


def _print_version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"{__version__}\n")
        raise typer.Exit


@app.callback()
def options(
    version: bool = typer.Option(
        False, "--version", help="Print the version.", callback=_print_version, is_eager=True
    ),
    debug: bool = typer.Option(False, "--debug", help="Show tracebacks; works anywhere."),
) -> None:
    """Active learning for medical image segmentation."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with its code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given
    given = [argument for argument in given if argument != "--debug"]
    _log_to_stderr(debug=debug)
    try:
        app(given, standalone_mode=True)
    except ActiveSegError as error:
        if debug:
            raise
        say(f"error: {error}")
        sys.exit(2 if isinstance(error, ConfigError | SchemaError) else 1)
    except KeyboardInterrupt:
        say("stopped; what was saved before stays")
        sys.exit(1)
    except Exception as error:
        if debug:
            raise
        say(
            f"error: the program made a mistake: {type(error).__name__}: {error}. "
            "Run the same again with --debug and report what it prints"
        )
        sys.exit(1)


def _log_to_stderr(*, debug: bool) -> None:
    from rich.console import Console

    level = logging.DEBUG if debug else logging.WARNING
    handler = RichHandler(console=Console(stderr=True), show_time=False, show_path=debug)
    logging.basicConfig(level=logging.WARNING, handlers=[handler], format="%(message)s", force=True)
    logging.getLogger("napari_active_seg").setLevel(level)
    if not debug:
        warnings.simplefilter("ignore")
