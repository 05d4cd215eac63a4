"""The file results.json, which any reader of JSON takes."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["RESULTS", "device_of", "notes_of", "write_results_json"]

RESULTS = "results.json"


def write_results_json(out: Path, results: Mapping[str, Any]) -> None:
    """Write what a study found into its folder."""
    text = json.dumps(_without_nan(dict(results)), indent=1)
    (out / RESULTS).write_text(text, encoding="utf-8")


def device_of(out: Path) -> str:
    """Return what the study in a folder ran on, as far as it says so itself."""
    return str(_read_results(out).get("device", "device not told"))


def notes_of(out: Path) -> tuple[str, ...]:
    """Return what the study in a folder says of its data, as far as it does."""
    return tuple(map(str, _read_results(out).get("notes", ())))


def _read_results(out: Path) -> dict[str, Any]:
    """Return what the file of a folder holds, nothing where it cannot be read."""
    try:
        told = json.loads((out / RESULTS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}


def _without_nan(value: Any) -> Any:
    """Return a value as JSON knows it: what cannot be told is null."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _without_nan(inside) for key, inside in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(inside) for inside in value]
    return value
