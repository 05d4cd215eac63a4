"""Write the reference of the command line and of the settings from the program itself.

    python scripts/make_reference.py

A test compares docs/reference/command-line.md and docs/reference/settings.md with what the program
would write now.
"""

# ruff: noqa: E501 - lines of a page
from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import typer

from napari_active_seg.cli.defaults import PREFIX, OptionSpec, list_options
from napari_active_seg.cli.main import app
from napari_active_seg.models.options import OptionField
from napari_active_seg.project import SETTINGS

FOLDER = Path(__file__).parents[1] / "docs" / "reference"
OUT, SETTINGS_OUT = FOLDER / "command-line.md", FOLDER / "settings.md"
SETTINGS_HEAD = """# Settings

Made from the program by `python scripts/make_reference.py`.

`napari-active-seg config PROJECT --set NAME=VALUE` changes a setting for good and `config PROJECT` shows all of them; `session.maintenance.configure(name=value)` does the same in Python. Those of training hold for one training as options of `train` (`--training-length 3`), or with `train --set NAME=VALUE`; those of the acquisition hold for one proposal as options of `propose`. In `project.json` each section is an object of its own.
"""
SECTIONS = {
    "": "Project",
    "training": "Training",
    "inference": "Inference",
    "acquisition": "Acquisition",
}
HEAD = """# The command line

Made from the program by `python scripts/make_reference.py`. The same words are in `--help` of each verb.

```text
napari-active-seg VERB [OPTIONS]
```

Anywhere on the line: `--quiet` or `-q` says nothing but results and errors, `--debug` shows tracebacks, `--defaults FILE` names a file of [defaults](../how-to/defaults.md). Results go to stdout, all else to stderr; `--json` prints one JSON object. `--install-completion` lets the shell complete verbs, options and their values.

| exit code | meaning |
|---|---|
| 0 | success |
| 1 | a failure, or stopped by Ctrl-C; what was saved before stays |
| 2 | bad arguments, settings or defaults |
"""


def reference() -> str:
    """Return the page."""
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    knobs = list_options(app)
    return "\n".join([HEAD, *(_section(v, commands[v], knobs[v]) for v in sorted(commands))])


def settings_page() -> str:
    """Return the page of the settings."""
    parts = [SETTINGS_HEAD]
    for section, title in SECTIONS.items():
        parts += [f"## {title}\n", "| setting | values | default | meaning |\n|---|---|---|---|"]
        fields = [field for place, field in SETTINGS.values() if place == section]
        parts.append("\n".join(_setting_row(field) for field in fields) + "\n")
    return "\n".join(parts)


def _setting_row(field: OptionField) -> str:
    default = field.unset or ""
    if field.default is not None and field.name != "name":
        default = "" if isinstance(field.default, tuple) else str(field.default)
        default = default.lower() if field.kind is bool else default
    kinds = {bool: "true, false", int: "a whole number", float: "a number"}
    values = field.range or kinds.get(field.kind, "")
    if field.unset and (field.choices or field.kind is not str):
        values += f"; {field.unset}"
    shown = f"`{default}`" if default else ""
    return f"| `{field.name}` | {values} | {shown} | {_one_line(field.description)} |"


def _section(verb: str, command: Any, knobs: dict[str, OptionSpec]) -> str:
    paragraphs = [" ".join(part.split()) for part in re.split(r"\n\s*\n", command.help)]
    text = "\n\n".join(part for part in paragraphs if not part.startswith("Example: "))
    examples = [
        part.removeprefix("Example: ") for part in paragraphs if part.startswith("Example: ")
    ]
    lines = [f"## {verb}\n", f"{text}\n"]
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    named = " ".join(
        str(p.metavar or p.name.upper())
        if p.required
        else f"[{(p.metavar or p.name.upper()).strip('[]')}]"
        for p in arguments
    )
    lines.append(
        f"```text\nnapari-active-seg {verb}{' ' + named if named else ''} [OPTIONS]\n```\n"
    )
    lines += ["```sh", *examples, "```\n"]
    lines += [
        f"- **{(p.metavar or p.name.upper()).strip('[]')}**: {_one_line(p.help)}" for p in arguments
    ]
    if arguments:
        lines.append("")
    lines += ["| option | default | meaning |", "|---|---|---|"]
    for knob in knobs.values():
        options = ", ".join(f"`{option}`" for option in knob.options)
        lines.append(f"| {options} | {_default(knob)} | {_one_line(knob.help)} |")
    return "\n".join(lines) + "\n"


def _default(knob: OptionSpec) -> str:
    if knob.default in (None, False):
        return ""
    return f"`{knob.default}`"


def _one_line(text: str | None) -> str:
    return " ".join((text or "").split()).replace("|", "\\|")


if __name__ == "__main__":
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(reference(), encoding="utf-8")
    SETTINGS_OUT.write_text(settings_page(), encoding="utf-8")
    print(f"wrote {OUT} and {SETTINGS_OUT}; variables begin with {PREFIX}")
