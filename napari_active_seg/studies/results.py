"""The files curves.csv and results.json of a study."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from napari_active_seg._version import __version__

__all__ = ["RESULTS", "read_device", "read_notes", "write_results"]

RESULTS = "results.json"


def write_results(
    out: Path,
    *,
    device: str,
    columns: Sequence[str],
    rows: Iterable[Mapping[str, Any]],
    found: Mapping[str, Any],
) -> None:
    """Write curves.csv with some columns of ``rows``, and results.json with what was ``found``."""
    out.mkdir(parents=True, exist_ok=True)
    with (out / "curves.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    results = {"version": __version__, "device": device, **found}
    text = json.dumps(_replace_nan(results), indent=1)
    (out / RESULTS).write_text(text, encoding="utf-8")


def read_device(out: Path) -> str:
    """Return the device of the study in a folder, as far as it is known."""
    return str(_read_results(out).get("device", "device not told"))


def read_notes(out: Path) -> tuple[str, ...]:
    """Return the notes on the data of the study in a folder, as far as there are any."""
    return tuple(map(str, _read_results(out).get("notes", ())))


def _read_results(out: Path) -> dict[str, Any]:
    """Return the content of results.json; nothing if it cannot be read."""
    try:
        results = json.loads((out / RESULTS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return results if isinstance(results, dict) else {}


def _replace_nan(value: Any) -> Any:
    """Return a value with null for each number that JSON does not know."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _replace_nan(inside) for key, inside in value.items()}
    if isinstance(value, list | tuple):
        return [_replace_nan(inside) for inside in value]
    return value
