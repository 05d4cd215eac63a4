"""The file results.json, which any reader of JSON takes."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["write_results_json"]


def write_results_json(out: Path, results: Mapping[str, Any]) -> None:
    """Write what a study found into its folder."""
    text = json.dumps(_without_nan(dict(results)), indent=1)
    (out / "results.json").write_text(text, encoding="utf-8")


def _without_nan(value: Any) -> Any:
    """Return a value as JSON knows it: what cannot be told is null."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _without_nan(inside) for key, inside in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(inside) for inside in value]
    return value
