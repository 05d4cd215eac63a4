"""What ``config --show`` prints: every value, and who says so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from napari_active_seg.cli.console import print_result
from napari_active_seg.cli.defaults import Default, Defaults
from napari_active_seg.project import SETTINGS, Project, ProjectConfig

__all__ = ["show_sources"]


def show_sources(defaults: Defaults, project: Path | None, *, as_json: bool) -> None:
    """Print the settings of a project, if one is named, and the defaults of all verbs."""
    own = {} if project is None else _settings(project)
    verbs = {verb: defaults.of(verb) for verb in defaults.verbs}
    facts: dict[str, Any] = {
        "files": [{"path": str(path), "there": path.is_file()} for path in defaults.files],
        "project": {name: _facts(one) for name, one in own.items()},
        "verbs": {v: {n: _facts(one) for n, one in found.items()} for v, found in verbs.items()},
    }
    lines = [f"{path}: {'read' if path.is_file() else 'not there'}" for path in defaults.files]
    for group, found in {"project": own, **verbs}.items():
        lines += [
            f"{group}.{name}: {_words(one.value)}  ({one.source})" for name, one in found.items()
        ]
    print_result(facts, as_json=as_json, text="\n".join(lines))


def _settings(folder: Path) -> dict[str, Default]:
    """Return the editable settings of a project; what is as at the start is a default."""
    with Project.open(folder, read_only=True) as project:
        config, place = project.config, f"file {project.folder / 'project.json'}"
    usual = ProjectConfig(name=config.name, created_at=config.created_at)
    return {
        name: Default(
            config.get(name),
            "default" if config.get(name) == usual.get(name) and name != "name" else place,
        )
        for name in sorted(SETTINGS)
    }


def _facts(one: Default) -> dict[str, object]:
    value = str(one.value) if isinstance(one.value, Path) else one.value
    return {"value": value, "source": one.source}


def _words(value: object) -> str:
    return "none" if value is None else str(value)
