"""Where the value of an option comes from that is not on the line: environment, files, the program.

A file of defaults is YAML: a verb, its options, their values. ``all`` is every verb that has the
option. What is nearer goes first: the line, the environment, the file that ``--defaults`` names,
``napari-active-seg.yaml`` in this folder, the person's own file, the program.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import typer
import yaml
from pydantic import TypeAdapter, ValidationError

from napari_active_seg.errors import ConfigError, did_you_mean

__all__ = ["ALL", "PREFIX", "Default", "Defaults", "OptionSpec", "list_options"]

#: Any verb, in a file or in the environment.
ALL = "all"
PREFIX = "NAPARI_ACTIVE_SEG_"
HERE = "napari-active-seg.yaml"
#: Variables of ours that are no options.
_OTHERS = frozenset({"NETWORKS", "WEIGHTS", "SETTINGS", "DEFAULTS", "QUIET"})


@dataclass(frozen=True, slots=True)
class OptionSpec:
    """An option of a verb: its name in files, its type, and the program's own value."""

    name: str  #: as in files: from_start
    parameter: str  #: as the verb calls it
    options: tuple[str, ...]
    kind: Any
    default: object
    help: str


@dataclass(frozen=True, slots=True)
class Default:
    """What an option is where the line does not say, and who says so."""

    value: Any
    source: str


def list_options(app: typer.Typer) -> dict[str, dict[str, OptionSpec]]:
    """Return the options of each verb, by name."""
    command = typer.main.get_command(app)
    verbs: Mapping[str, Any] = getattr(command, "commands", {})
    callbacks = {
        info.name or str(getattr(info.callback, "__name__", "")): info.callback
        for info in app.registered_commands
    }
    return {
        verb: {knob.name: knob for knob in _knobs(one.params, callbacks[verb])}
        for verb, one in verbs.items()
    }


def _knobs(params: Sequence[Any], callback: Callable[..., Any] | None) -> list[OptionSpec]:
    hints = {} if callback is None else get_type_hints(callback, include_extras=True)
    own = {} if callback is None else inspect.signature(callback).parameters
    found = []
    for param in params:
        if param.param_type_name != "option" or param.name not in own:
            continue
        options = (*param.opts, *param.secondary_opts)
        longest = max(param.opts, key=len).removeprefix("--").replace("-", "_")
        kind = hints[param.name]
        kind = get_args(kind)[0] if get_origin(kind) is Annotated else kind
        default = own[param.name].default
        default = None if default is inspect.Parameter.empty else default
        found.append(OptionSpec(longest, param.name, options, kind, default, param.help or ""))
    return found


class Defaults:
    """All layers of defaults over the options of all verbs, each value checked and with its source.

    ConfigError names the file or variable, and what comes close, where something does not fit.
    """

    def __init__(
        self,
        specs: Mapping[str, Mapping[str, OptionSpec]],
        *,
        named: Path | None = None,
        environment: Mapping[str, str] | None = None,
        here: Path | None = None,
        own: Path | None = None,
    ) -> None:
        self._knobs = specs
        surroundings = os.environ if environment is None else environment
        if named is None and surroundings.get(f"{PREFIX}DEFAULTS"):
            named = Path(surroundings[f"{PREFIX}DEFAULTS"])
        if named is not None and not named.is_file():
            raise ConfigError(f"there is no file of defaults {named}; name one that exists")
        own = own or Path(typer.get_app_dir("napari-active-seg")) / "command-line.yaml"
        here = (here or Path.cwd()) / HERE
        #: The person's own file, that of this folder, and the one that was named, if any.
        self.files = tuple(path for path in (own, here, named) if path is not None)
        self._set: dict[tuple[str, str], Default] = {}
        for path in self.files:
            if path.is_file():
                self._take(_read(path), f"file {path}")
        self._take_environment(surroundings)

    @property
    def verbs(self) -> tuple[str, ...]:
        """Every verb there is."""
        return tuple(self._knobs)

    def of(self, verb: str) -> dict[str, Default]:
        """Return every option of a verb with its value and where that comes from."""
        return {
            name: self._set.get((verb, name), Default(knob.default, "default"))
            for name, knob in self._knobs[verb].items()
        }

    def given(self) -> dict[str, dict[str, Any]]:
        """Return what is set anywhere, by verb and by the verb's own name of the option."""
        found: dict[str, dict[str, Any]] = {}
        for (verb, name), default in self._set.items():
            found.setdefault(verb, {})[self._knobs[verb][name].parameter] = default.value
        return found

    def _take(self, layer: Mapping[str, Mapping[str, Any]], source: str) -> None:
        general = [verb for verb in layer if verb == ALL]
        for verb in (*general, *(v for v in layer if v != ALL)):
            if verb != ALL and verb not in self._knobs:
                raise ConfigError(f"{source}: no verb {verb!r}: {did_you_mean(verb, self._knobs)}")
            for key, value in layer[verb].items():
                self._set_one(verb, key.replace("-", "_"), value, source)

    def _set_one(self, verb: str, key: str, value: object, source: str) -> None:
        verbs = [v for v, specs in self._knobs.items() if key in specs and verb in (v, ALL)]
        if not verbs:
            known = {k for v, specs in self._knobs.items() for k in specs if verb in (v, ALL)}
            raise ConfigError(f"{source}: {verb} has no option {key!r}: {did_you_mean(key, known)}")
        for one in verbs:
            checked = _checked(self._knobs[one][key], value, f"{source}: {verb}.{key}")
            self._set[one, key] = Default(checked, source)

    def _take_environment(self, surroundings: Mapping[str, str]) -> None:
        known = {
            f"{PREFIX}{verb}_{name}".upper().replace("-", "_"): (verb, name)
            for verb, specs in {**self._knobs, ALL: self._all_knobs()}.items()
            for name in specs
        }
        ours = [n for n in surroundings if n.startswith(PREFIX) and n[len(PREFIX) :] not in _OTHERS]
        for variable in sorted(ours, key=lambda n: not n.startswith(f"{PREFIX}ALL_")):
            if variable not in known:
                close = did_you_mean(variable, known) if known else ""
                close = close.split(" known: ")[0] if "did you mean" in close else ""
                raise ConfigError(f"{variable} in the environment names no option; {close}".strip())
            verb, name = known[variable]
            text = surroundings[variable]
            knob = {**self._all_knobs(), **self._knobs.get(verb, {})}[name]
            several = get_origin(_plain(knob.kind)) is list
            value: object = [part.strip() for part in text.split(",")] if several else text
            self._set_one(verb, name, value, f"environment {variable}")

    def _all_knobs(self) -> dict[str, OptionSpec]:
        return {name: knob for specs in self._knobs.values() for name, knob in specs.items()}


def _plain(kind: Any) -> Any:
    """Return the type beside None."""
    return (
        next((one for one in get_args(kind) if one is not type(None)), kind)
        if (type(None) in get_args(kind))
        else kind
    )


def _checked(knob: OptionSpec, value: object, where: str) -> Any:
    kind = _plain(knob.kind)
    if kind in (str, Path) and isinstance(value, bool | int | float):
        value = str(value).lower() if isinstance(value, bool) else str(value)
    try:
        found = TypeAdapter(kind).validate_python(value)
    except ValidationError as error:
        raise ConfigError(f"{where} is {value!r}; {error.errors()[0]['msg'].lower()}") from error
    return str(found) if isinstance(found, Path) else found


def _read(path: Path) -> Mapping[str, Mapping[str, Any]]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{path} cannot be read as YAML: {error}") from error
    if content is None:
        return {}
    if not isinstance(content, dict) or not all(isinstance(v, dict) for v in content.values()):
        raise ConfigError(
            f"{path} is to hold verbs with their options, such as train: preset: fast"
        )
    return {str(verb): {str(k): v for k, v in given.items()} for verb, given in content.items()}
