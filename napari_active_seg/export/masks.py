"""Index masks: a PNG per image whose numbers are the classes, with a palette to look at it.

255 is "not labelled". Beside the masks: ``classes.csv``, ``regions.csv`` with the provenance
of each label, and a ``README.md`` that says what the numbers mean.
"""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from napari_active_seg.export.base import ExportSet, RegionRow, whole_folder
from napari_active_seg.regions import UNLABELLED, LabelSchema

__all__ = ["IndexMasks", "palette_of"]


class IndexMasks:
    """PNG masks under the images' own names."""

    name = "masks"
    title = "Index masks (PNG)"

    def write(
        self, data: ExportSet, out: Path, *, on_image: Callable[[int, int], None]
    ) -> tuple[Path, ...]:
        """Write one mask per image and the tables, and return the files."""
        palette = palette_of(data.schema)
        with whole_folder(out) as folder:
            names: list[PurePosixPath] = []
            for number, image in enumerate(data.images, 1):
                name = PurePosixPath("masks", image.split, image.id).with_suffix(".png")
                path = folder / name
                path.parent.mkdir(parents=True, exist_ok=True)
                picture = Image.fromarray(image.target())
                picture.putpalette(palette)
                picture.save(path)
                names.append(name)
                on_image(number, len(data.images))
            _write_classes(folder / "classes.csv", data.schema)
            _write_rows(folder / "regions.csv", data.rows)
            (folder / "README.md").write_text(_readme(data), encoding="utf-8")
        tables = (PurePosixPath(n) for n in ("classes.csv", "regions.csv", "README.md"))
        return tuple(out / name for name in (*names, *tables))


def palette_of(schema: LabelSchema) -> list[int]:
    """Return 256 colours, red green blue in turn: the classes', white for not labelled."""
    colours = np.zeros((256, 3), np.uint8)
    for index, colour in enumerate(schema.colours):
        colours[index] = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    colours[UNLABELLED] = 255
    flat: list[int] = colours.ravel().tolist()
    return flat


def _write_classes(path: Path, schema: LabelSchema) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("value", "name", "colour"))
        for value, (name, colour) in enumerate(zip(schema.names, schema.colours, strict=True)):
            writer.writerow((value, name, colour))
        writer.writerow((UNLABELLED, "not labelled", "#ffffff"))


def _write_rows(path: Path, rows: tuple[RegionRow, ...]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(field.name for field in dataclasses.fields(RegionRow))
        writer.writerows(dataclasses.astuple(row) for row in rows)


def _readme(data: ExportSet) -> str:
    classes = "\n".join(f"- {value}: {name}" for value, name in enumerate(data.schema.names))
    return (
        f"# {data.name}\n\n{len(data.images)} masks, {len(data.rows)} labelled regions. "
        "Each mask has the name and the size of its image; its numbers are\n\n"
        f"{classes}\n- {UNLABELLED}: not labelled (nothing is known; this is not background)\n\n"
        "`masks/pool` was open to labelling, `masks/validation` was set aside. `regions.csv` says\n"
        "who labelled each region, why it was chosen and what it took.\n"
    )
