"""A strategy as a YAML file, for the desktop and the command line alike."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml

from napari_active_seg.acquisition import CHANGEABLE, Strategy, get_strategy
from napari_active_seg.errors import ConfigError, did_you_mean
from napari_active_seg.project import migrate_strategy_parts

__all__ = ["is_strategy_file", "read_strategy", "strategy_from", "write_strategy"]

_HEAD = "# How regions are chosen: napari-active-seg propose PROJECT --strategy THIS-FILE\n"
_PARTS = ("name", *CHANGEABLE, "auto")


def is_strategy_file(name: str) -> bool:
    """Return whether a name is that of a file rather than of a known strategy."""
    return Path(name).suffix.lower() in (".yaml", ".yml")


def strategy_from(name: str) -> Strategy:
    """Return the strategy of a name or of a YAML file."""
    return read_strategy(Path(name)) if is_strategy_file(name) else get_strategy(name)


def read_strategy(path: Path) -> Strategy:
    """Return the strategy in a file; ConfigError names what does not fit.

    Parts that the file leaves out have their defaults.
    """
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error
    except yaml.YAMLError as error:
        where = getattr(error, "problem_mark", None)
        line = "" if where is None else f" (line {where.line + 1})"
        raise ConfigError(f"{path} is not valid YAML{line}; correct that line") from error
    if not isinstance(raw, dict):
        raise ConfigError(f"{path} holds no parts of a strategy; it is lines such as 'unit: crops'")
    raw = migrate_strategy_parts({"name": path.stem, **raw})
    for key, value in raw.items():
        if key not in _PARTS:
            raise ConfigError(f"{path}: no part {key!r}: {did_you_mean(str(key), _PARTS)}")
        _check_kind(path, str(key), value)
    try:
        return Strategy(**raw)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


def write_strategy(path: Path, strategy: Strategy) -> None:
    """Write every part of a strategy to a file."""
    parts: dict[str, Any] = asdict(strategy)
    text = yaml.safe_dump(parts, sort_keys=False, allow_unicode=True)
    try:
        path.write_text(_HEAD + text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path} could not be written: {error.strerror or error}") from error


def _check_kind(path: Path, key: str, value: object) -> None:
    """Refuse a value of another kind than the part has: YAML reads ``yes`` and ``1e3`` its way."""
    wanted = type(getattr(Strategy("any"), key))
    fits = isinstance(value, wanted) and not (wanted is not bool and isinstance(value, bool))
    if wanted is float and isinstance(value, int) and not isinstance(value, bool):
        fits = True
    if not fits:
        words = {bool: "yes or no", int: "a whole number", float: "a number", str: "a word"}
        raise ConfigError(f"{path}: {key} is {words[wanted]}, got {value!r}")
