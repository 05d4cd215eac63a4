"""Labels of a slide of 50,000 x 50,000 pixels: seconds, bytes and the most memory, by format.

python benchmarks/export_slides.py [SIDE]

The labels are disks on a grid, worked out window by window, everything labelled. Each format is
written by a process of its own, whose greatest resident memory is told beside that of the same
process before it began.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.export import ExportSet, get_exporter, write_data_set
from napari_active_seg.export.tiling import ImageToExport, iter_samples
from napari_active_seg.regions import LabelSchema, Region

FORMATS = ("tiff", "ome-zarr", "geojson")
PITCH, RADIUS = 1000, 300


class Disks:
    """Labels of a slide that nobody could hold in memory."""

    def __init__(self, side: int) -> None:
        self.labelled = (Region("slide.tif", 0, 0, side, side),)

    def target(self, window: Region) -> NDArray[np.uint8]:
        down = (np.arange(window.y, window.bottom) % PITCH - PITCH // 2) ** 2
        across = (np.arange(window.x, window.right) % PITCH - PITCH // 2) ** 2
        return (down[:, None] + across[None] < RADIUS**2).astype(np.uint8)

    def objects(self, window: Region) -> None:
        return None


def no_source() -> None:
    raise NotImplementedError("pictures are not written")


def megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def write(name: str, side: int) -> None:
    before = megabytes()
    image = ImageToExport("slide.tif", (side, side), "pool", Disks(side), no_source)
    schema = LabelSchema.from_names(["background", "gland"])
    data = ExportSet("slide", schema, iter_samples([image], cut="images"), ())
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        done = write_data_set(
            data, get_exporter(name), Path(folder) / "out", stamp="", on_piece=lambda *_: None
        )
        seconds = time.perf_counter() - start
        size = sum(path.stat().st_size for path in done.files) / 2**20
    print(
        f"{name:9} {seconds:6.0f} s  {size:8.1f} MB  most memory {megabytes():6.0f} MB, "
        f"{before:.0f} before it began",
        flush=True,
    )


def main() -> int:
    if len(sys.argv) > 2:
        write(sys.argv[1], int(sys.argv[2]))
        return 0
    side = sys.argv[1] if len(sys.argv) > 1 else "50000"
    for name in FORMATS:
        subprocess.run([sys.executable, __file__, name, side], check=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
