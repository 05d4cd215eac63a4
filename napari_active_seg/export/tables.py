"""Tables of a data set: classes, and where each label came from, as CSV and Parquet."""

from __future__ import annotations

import csv
import dataclasses
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from napari_active_seg.export.dataset import RegionRow
from napari_active_seg.regions import UNLABELLED, LabelSchema

__all__ = ["has_parquet", "write_classes", "write_csv", "write_parquet", "write_regions"]


def write_classes(path: Path, schema: LabelSchema) -> None:
    """Write the value, name and colour of each class."""
    rows: list[tuple[object, ...]] = [
        (value, name, colour)
        for value, (name, colour) in enumerate(zip(schema.names, schema.colours, strict=True))
    ]
    rows.append((UNLABELLED, "not labelled", "#ffffff"))
    write_csv(path, ("value", "name", "colour"), rows)


def write_regions(path: Path, rows: Sequence[RegionRow]) -> None:
    """Write the provenance of each label as CSV."""
    names = [field.name for field in dataclasses.fields(RegionRow)]
    write_csv(path, names, [dataclasses.astuple(row) for row in rows])


def write_csv(path: Path, names: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Write a table with a line of names."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(names)
        writer.writerows(rows)


def has_parquet() -> bool:
    """Return whether the package that writes Parquet is installed."""
    return importlib.util.find_spec("pyarrow") is not None


def write_parquet(path: Path, rows: Sequence[Any]) -> None:
    """Write dataclasses of one kind as Parquet, with times as times."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns: dict[str, Any] = {}
    for field in dataclasses.fields(RegionRow):
        values = [getattr(row, field.name) for row in rows]
        if field.name == "saved_at":
            text = pa.array([value or None for value in values], pa.string())
            columns[field.name] = text.cast(pa.timestamp("ms", tz="UTC"))
        else:
            columns[field.name] = pa.array(values, _arrow_type(pa, str(field.type)))
    pq.write_table(pa.table(columns), path)


def _arrow_type(pa: Any, name: str) -> Any:
    kinds = {"str": pa.string(), "int": pa.int64(), "float": pa.float64()}
    return kinds[name.split(" | ")[0]]
