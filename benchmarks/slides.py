"""Random windows of a JPEG-tiled pyramid beside decoding its tiles with tifffile directly.

    python benchmarks/slides.py [--slide FILE.svs]

Without a slide one of 8,192 x 8,192 is drawn. Each round reads the same windows of 512 x 512 in
three ways, in turn: ours, the touched tiles decoded and thrown away (the limit: nobody can do
less), and OpenSlide where it is installed. Then 1,000 windows, with the memory of the process.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import tifffile

from napari_active_seg.images import SlideImage
from napari_active_seg.images.samples import SAMPLE_SETS

WINDOW, WINDOWS, ROUNDS, MANY = 512, 25, 15, 1000


def drawn_slide(folder: Path, side: int = 8192) -> Path:
    picture = SAMPLE_SETS["histology"].draw(0).image
    repeats = [-(-side // length) for length in picture.shape[:2]]
    image = np.tile(picture, (*repeats, 1))[:side, :side]
    path = folder / "drawn.tif"
    with tifffile.TiffWriter(path, bigtiff=True) as file:
        for number in range(4):
            level = np.ascontiguousarray(image[:: 2**number, :: 2**number])
            file.write(level, tile=(256, 256), photometric="rgb", compression="jpeg",
                       compressionargs={"level": 85}, subfiletype=int(number > 0))  # fmt: skip
    return path


class TilesAlone:
    """Decodes the tiles that a window touches, and does nothing with them."""

    def __init__(self, path: Path) -> None:
        self._file = tifffile.TiffFile(path)
        self._page = self._file.series[0].levels[0].keyframe

    def read(self, y: int, x: int) -> None:
        page, handle = self._page, self._file.filehandle
        across = -(-page.imagewidth // page.tilewidth)
        for row in range(y // page.tilelength, (y + WINDOW - 1) // page.tilelength + 1):
            for column in range(x // page.tilewidth, (x + WINDOW - 1) // page.tilewidth + 1):
                index = row * across + column
                handle.seek(page.dataoffsets[index])
                data = handle.read(page.databytecounts[index])
                tables = {"jpegtables": page.jpegtables} if page.jpegtables else {}
                page.decode(data, index, **tables)


def openslide_reader(path: Path) -> Callable[[int, int], object] | None:
    try:
        import openslide
    except ImportError:
        return None
    slide = openslide.OpenSlide(path)
    return lambda y, x: np.asarray(slide.read_region((x, y), 0, (WINDOW, WINDOW)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slide", type=Path)
    given = parser.parse_args().slide
    with tempfile.TemporaryDirectory() as name:
        path = given or drawn_slide(Path(name))
        ours, tiles = SlideImage(path), TilesAlone(path)
        rows, columns = ours.shape
        rng = np.random.default_rng(0)

        def places(count: int) -> list[tuple[int, int]]:
            ys, xs = (rng.integers(0, n - WINDOW, count).tolist() for n in (rows, columns))
            return list(zip(ys, xs, strict=True))

        ways: dict[str, Callable[[int, int], object]] = {
            "ours": lambda y, x: ours.read(0, y, x, WINDOW, WINDOW),
            "tiles alone (the limit)": tiles.read,
        }
        other = openslide_reader(path)
        if other is not None:
            ways["OpenSlide"] = other
            print_difference(ways["ours"], other, places(WINDOWS))
        print_ways(ways, places)
        print_memory(ours, places(MANY))


def print_ways(
    ways: dict[str, Callable[[int, int], object]],
    places: Callable[[int], list[tuple[int, int]]],
) -> None:
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        windows = places(WINDOWS)
        for name, read in ways.items():
            began = time.perf_counter()
            for y, x in windows:
                read(y, x)
            times[name].append(1000 * (time.perf_counter() - began) / WINDOWS)
    limit = times["tiles alone (the limit)"]
    for name, found in times.items():
        low, middle, high = statistics.quantiles(found, n=4)
        ratio = statistics.median(a / b for a, b in zip(found, limit, strict=True))
        print(f"{name:26} {middle:7.2f} ms   {low:.2f} to {high:.2f}   {ratio:.2f} of the limit")


def print_difference(
    ours: Callable[[int, int], object],
    other: Callable[[int, int], object],
    windows: list[tuple[int, int]],
) -> None:
    pairs = [(np.asarray(ours(y, x)), np.asarray(other(y, x))[..., :3]) for y, x in windows]
    largest = max(int(np.abs(a.astype(int) - b).max()) for a, b in pairs)
    print(f"largest difference to OpenSlide over {len(windows)} windows: {largest} of 255")


def print_memory(source: SlideImage, windows: list[tuple[int, int]]) -> None:
    process = psutil.Process()
    megabytes = []
    for number, (y, x) in enumerate(windows):
        source.read(0, y, x, WINDOW, WINDOW)
        if number % 100 == 99:
            megabytes.append(process.memory_info().rss / 2**20)
    print(
        f"memory after each 100 of {MANY} windows, MB: " + ", ".join(f"{m:.0f}" for m in megabytes)
    )


if __name__ == "__main__":
    main()
