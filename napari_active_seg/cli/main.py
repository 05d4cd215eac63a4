"""The application: verbs, and one place where errors become exit codes.

0 is success, 2 bad arguments, 1 a failure. An error is one line that names the remedy. Anywhere on
the line, ``--debug`` adds the traceback, ``--quiet`` leaves out all but results and errors, and
``--defaults FILE`` names a file of defaults.
"""

from __future__ import annotations

import logging
import os
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

import typer
from rich.logging import RichHandler

from napari_active_seg._version import __version__
from napari_active_seg.cli import (
    demo_and_doctor,
    export,
    image_classes,
    loop,
    maintenance,
    project,
    propose,
    studies,
    trust,
)
from napari_active_seg.cli.console import be_quiet, echo
from napari_active_seg.cli.defaults import PREFIX, Defaults, list_options
from napari_active_seg.cli.global_options import check_options_known, split_global_options
from napari_active_seg.errors import (
    ActiveSegError,
    ConfigError,
    MissingImageError,
    SchemaError,
    describe_disk_error,
)

__all__ = ["app", "main"]

app = typer.Typer(
    name="napari-active-seg",
    help="Active learning for medical image segmentation, inside napari and without it.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for verbs in (
    demo_and_doctor,
    project,
    propose,
    loop,
    image_classes,
    trust,
    maintenance,
    export,
    studies,
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
    quiet: bool = typer.Option(
        False, "--quiet", "-q", help="Say nothing but results and errors; works anywhere."
    ),
    defaults: Path | None = typer.Option(
        None, help="A YAML file of defaults for options, see 'config --show'; works anywhere."
    ),
) -> None:
    """Active learning for medical image segmentation."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with its code."""
    parsed = split_global_options(sys.argv[1:] if arguments is None else arguments)
    debug = parsed.debug
    be_quiet(parsed.quiet or os.environ.get(f"{PREFIX}QUIET", "") not in ("", "0"))
    _log_to_stderr(debug=debug)
    try:
        specs = list_options(app)
        check_options_known(parsed.args, specs)
        defaults = Defaults(specs, named=parsed.defaults) if _runs_a_verb(parsed.args) else None
        given = {} if defaults is None else defaults.given()
        app(list(parsed.args), standalone_mode=True, default_map=given, obj=defaults)
    except ActiveSegError as error:
        if debug:
            raise
        hint = " ('relink' finds it)" if isinstance(error, MissingImageError) else ""
        echo(f"error: {error}{hint}", always=True)
        sys.exit(2 if isinstance(error, ConfigError | SchemaError) else 1)
    except KeyboardInterrupt:
        echo("stopped; what was saved before stays", always=True)
        sys.exit(1)
    except Exception as error:
        if debug:
            raise
        words = describe_disk_error(error) or (
            f"the program made a mistake: {type(error).__name__}: {error}. "
            "Run the same again with --debug and report what it prints"
        )
        echo(f"error: {words}", always=True)
        sys.exit(1)


def _runs_a_verb(words: Sequence[str]) -> bool:
    """Return whether a verb is to run: a broken file of defaults must not keep help away."""
    return bool(words) and not words[0].startswith("-") and "--help" not in words


def _log_to_stderr(*, debug: bool) -> None:
    from rich.console import Console

    level = logging.DEBUG if debug else logging.WARNING
    handler = RichHandler(console=Console(stderr=True), show_time=False, show_path=debug)
    logging.basicConfig(level=logging.WARNING, handlers=[handler], format="%(message)s", force=True)
    logging.getLogger("napari_active_seg").setLevel(level)
    if not debug:
        warnings.simplefilter("ignore")
