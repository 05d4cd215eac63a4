"""The file results.json, which any reader of JSON takes."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["device_of", "write_results_json"]


def write_results_json(out: Path, results: Mapping[str, Any]) -> None:
    """Write what a study found into its folder."""
    text = json.dumps(_without_nan(dict(results)), indent=1)
    (out / "results.json").write_text(text, encoding="utf-8")


def device_of(out: Path) -> str:
    """Return what the study in a folder ran on, as far as it says so itself."""
    try:
        return str(json.loads((out / "results.json").read_text(encoding="utf-8"))["device"])
    except (OSError, ValueError, KeyError, TypeError):
        return "device not told"


def _without_nan(value: Any) -> Any:
    """Return a value as JSON knows it: what cannot be told is null."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _without_nan(inside) for key, inside in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(inside) for inside in value]
    return value
