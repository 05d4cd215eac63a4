"""An H&E-like drawing of colon glands, mixed from two stains by Beer and Lambert's law.

From the stroma inwards a gland is a thin pale membrane, a band of epithelium whose dark
nuclei line up along the border, and a pale lumen. Malignant glands are rougher, thicker, and
their nuclei lose their order.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_active_seg.images.samples.picture import SamplePicture, blob_radius, smooth_noise

__all__ = ["draw_histology"]

Plane = NDArray[np.float64]
#: Optical density of each stain in red, green and blue.
_HEMATOXYLIN = np.array([0.62, 0.72, 0.30])
_EOSIN = np.array([0.10, 0.62, 0.28])


@dataclass(frozen=True, slots=True)
class _Style:
    """What changes from slide to slide."""

    malignant: bool
    hematoxylin: float
    eosin: float
    hue: float

    @staticmethod
    def drawn(rng: np.random.Generator) -> _Style:
        return _Style(
            malignant=bool(rng.random() < 0.5),
            hematoxylin=rng.uniform(0.85, 1.25),
            eosin=rng.uniform(0.75, 1.3),
            hue=rng.uniform(-0.07, 0.07),
        )


def draw_histology(seed: int, shape: tuple[int, int] = (528, 784)) -> SamplePicture:
    """Return an H&E-like picture of glands with their instance mask."""
    rng = np.random.default_rng((seed, 0x4845))
    style = _Style.drawn(rng)
    instances = _place_glands(rng, shape, style)
    depth = _depth_inside(instances)
    hematoxylin, eosin = _stroma(rng, shape)
    _add_stroma_nuclei(rng, hematoxylin, instances)
    _paint_glands(rng, hematoxylin, eosin, instances, depth, style)
    return SamplePicture(_develop(rng, hematoxylin, eosin, style), instances)


def _place_glands(
    rng: np.random.Generator, shape: tuple[int, int], style: _Style
) -> NDArray[np.uint16]:
    """Return an instance mask of blobs that keep a few pixels of stroma between them."""
    instances = np.zeros(shape, np.uint16)
    free = np.full(shape, np.inf)  # pixels to the nearest gland so far
    scale = min(shape) / 528
    roughness = 0.34 if style.malignant else 0.16
    for _ in range(260):
        centre, radius = rng.uniform(-0.04, 1.04, 2) * shape, scale * rng.uniform(38, 105)
        y, x = np.clip(centre, 0, np.subtract(shape, 1)).astype(int)
        if free[y, x] < 0.6 * radius:
            continue  # it would surely touch a neighbour
        rows, columns, blob = _blob(rng, shape, centre, radius, roughness)
        gap = scale * rng.uniform(4, 10)
        if blob.sum() < 900 * scale**2 or (free[rows, columns][blob] <= gap).any():
            continue
        instances[rows, columns][blob] = instances.max() + 1
        free = ndimage.distance_transform_edt(instances == 0)
        if instances.max() >= 18 or (instances > 0).mean() > 0.55:
            break
    return instances


def _blob(
    rng: np.random.Generator,
    shape: tuple[int, int],
    centre: Plane,
    radius: float,
    roughness: float,
) -> tuple[slice, slice, NDArray[np.bool_]]:
    """Return a random blob and the rows and columns of the picture that it lies in."""
    stretch, turn = rng.uniform(1.0, 1.75), rng.uniform(0, np.pi)
    reach = 1.8 * stretch * radius
    low = np.maximum(centre - reach, 0).astype(int)
    high = np.minimum(centre + reach, shape).astype(int)
    y, x = np.ogrid[low[0] : high[0], low[1] : high[1]]
    dy, dx = y - centre[0], x - centre[1]
    along = (dx * np.cos(turn) + dy * np.sin(turn)) / stretch
    across = -dx * np.sin(turn) + dy * np.cos(turn)
    outline = blob_radius(rng, np.arctan2(across, along), roughness=roughness)
    inside = np.hypot(along, across) < radius * outline
    return slice(low[0], high[0]), slice(low[1], high[1]), inside


def _depth_inside(instances: NDArray[np.uint16]) -> Plane:
    """Return pixels to the own outline; glands are apart, so one transform serves all."""
    padded = np.pad(instances > 0, 1, mode="edge")
    depth: Plane = ndimage.distance_transform_edt(padded)[1:-1, 1:-1]
    return depth


def _stroma(rng: np.random.Generator, shape: tuple[int, int]) -> tuple[Plane, Plane]:
    """Return stain densities of loose, fibrous tissue."""
    fibres = _wavy_fibres(rng, shape)
    loose = smooth_noise(rng, shape, 28)
    eosin = 0.60 + 0.11 * fibres + 0.10 * loose
    eosin *= 1.0 - 0.75 / (1.0 + np.exp(-6.0 * (smooth_noise(rng, shape, 16) - 1.75)))
    hematoxylin = 0.10 + 0.03 * fibres + 0.03 * smooth_noise(rng, shape, 6)
    return np.maximum(hematoxylin, 0.02), np.maximum(eosin, 0.04)


def _wavy_fibres(rng: np.random.Generator, shape: tuple[int, int]) -> Plane:
    """Return streaks of mean 0 and deviation 1 that swing to and fro."""
    margin = 60
    large = (shape[0] + 2 * margin, shape[1] + 2 * margin)
    streaks = ndimage.gaussian_filter(rng.standard_normal(large), (1.4, 7.0))
    y, x = np.mgrid[margin : margin + shape[0], margin : margin + shape[1]]
    swing = 24.0 * smooth_noise(rng, shape, 36)
    fibres = ndimage.map_coordinates(streaks, (y + swing, x + swing / 3), order=1, mode="wrap")
    fine = ndimage.gaussian_filter(rng.standard_normal(shape), 1.2)
    mixed: Plane = fibres / fibres.std() + 0.5 * fine / fine.std()
    return mixed / mixed.std()


def _add_stroma_nuclei(
    rng: np.random.Generator, hematoxylin: Plane, instances: NDArray[np.uint16]
) -> None:
    height, width = instances.shape
    crowd = smooth_noise(rng, instances.shape, 45)
    for _ in range(int(height * width / 520)):
        y, x = int(rng.integers(height)), int(rng.integers(width))
        if instances[y, x] or rng.random() > 0.35 + 0.3 * crowd[y, x]:
            continue
        lymphocyte = rng.random() < 0.35
        long = rng.uniform(3.2, 4.2) if lymphocyte else rng.uniform(5.0, 8.5)
        wide = long * rng.uniform(0.85, 1.0) if lymphocyte else rng.uniform(1.7, 2.7)
        _stamp_nucleus(rng, hematoxylin, (y, x), (long, wide), rng.uniform(0, np.pi), instances, 0)


def _paint_glands(
    rng: np.random.Generator,
    hematoxylin: Plane,
    eosin: Plane,
    instances: NDArray[np.uint16],
    depth: Plane,
    style: _Style,
) -> None:
    shape = instances.shape
    ripple = 1.0 + 0.16 * smooth_noise(rng, shape, 12)
    foam = smooth_noise(rng, shape, 5)
    for gland, box in enumerate(ndimage.find_objects(instances), 1):
        inside, deep, spots = instances[box] == gland, depth[box], foam[box]
        band = float(deep[inside].max())
        band *= rng.uniform(0.55, 0.95) if style.malignant else rng.uniform(0.4, 0.62)
        lumen = inside & (deep * ripple[box] > band)
        epithelium = inside & ~lumen
        goblet = 0.0 if style.malignant else 0.14
        pale = 0.42 + 0.05 * spots - goblet * (deep > 0.5 * band)
        np.copyto(eosin[box], pale, where=epithelium)
        np.copyto(hematoxylin[box], 0.24 + 0.04 * spots, where=epithelium)
        mucus = rng.uniform(0.02, 0.16)
        np.copyto(eosin[box], 0.05 + mucus * np.maximum(spots, 0), where=lumen)
        clots = 0.02 + 0.4 * mucus * np.maximum(spots - 0.6, 0)
        np.copyto(hematoxylin[box], clots, where=lumen)
        _line_up_nuclei(rng, hematoxylin, instances, gland, box, depth, band, style)
    near = ndimage.binary_dilation(instances > 0, np.ones((3, 3)), iterations=2)
    membrane = (instances == 0) & near
    eosin[membrane] *= 0.55
    hematoxylin[membrane] *= 0.5


def _line_up_nuclei(
    rng: np.random.Generator,
    hematoxylin: Plane,
    instances: NDArray[np.uint16],
    gland: int,
    box: tuple[slice, slice],
    depth: Plane,
    band: float,
    style: _Style,
) -> None:
    """Stamp nuclei along the border, their long axes pointing inwards."""
    slope_y, slope_x = np.gradient(ndimage.gaussian_filter(depth[box], 2.0))
    corner = np.array([box[0].start, box[1].start])
    layers = (5.5, 11.5, 18.0) if style.malignant else (6.5,)
    for layer in layers:
        if layer > band + 3:
            continue
        ring = np.argwhere((instances[box] == gland) & (np.abs(depth[box] - layer) < 0.8))
        gap = rng.uniform(7.0, 9.5) if style.malignant else rng.uniform(5.6, 7.2)
        for y, x in _apart(rng, ring, gap):
            turn = float(np.arctan2(slope_y[y, x], slope_x[y, x]))
            turn += rng.normal(0, 0.7 if style.malignant else 0.15)
            long = rng.uniform(5.0, 7.5) if style.malignant else rng.uniform(4.8, 6.2)
            wide = rng.uniform(3.0, 4.6) if style.malignant else rng.uniform(2.3, 3.0)
            centre = (y + int(corner[0]), x + int(corner[1]))
            _stamp_nucleus(rng, hematoxylin, centre, (long, wide), turn, instances, gland)


def _apart(rng: np.random.Generator, points: NDArray[np.intp], gap: float) -> list[tuple[int, int]]:
    """Return points in random order of which no two are closer than ``gap``.

    Kept points are filed by cells of ``gap`` pixels, so that only neighbours are compared.
    """
    rng.shuffle(points)
    cells: dict[tuple[int, int], list[tuple[int, int]]] = {}
    kept = []
    for y, x in points.tolist():
        row, column = int(y // gap), int(x // gap)
        around = (
            other
            for r in (row - 1, row, row + 1)
            for c in (column - 1, column, column + 1)
            for other in cells.get((r, c), ())
        )
        if all((y - b) ** 2 + (x - a) ** 2 >= gap**2 for b, a in around):
            cells.setdefault((row, column), []).append((y, x))
            kept.append((y, x))
    return kept


def _stamp_nucleus(
    rng: np.random.Generator,
    hematoxylin: Plane,
    centre: tuple[int, int],
    axes: tuple[float, float],
    turn: float,
    instances: NDArray[np.uint16],
    owner: int,
) -> None:
    """Add one soft-edged, speckled ellipse of hematoxylin where ``owner`` is."""
    reach = int(max(axes)) + 2
    top, left = max(0, centre[0] - reach), max(0, centre[1] - reach)
    rows = slice(top, centre[0] + reach + 1)
    columns = slice(left, centre[1] + reach + 1)
    patch = hematoxylin[rows, columns]
    y, x = np.mgrid[: patch.shape[0], : patch.shape[1]]
    dy, dx = y + top - centre[0], x + left - centre[1]
    along = (dx * np.cos(turn) + dy * np.sin(turn)) / axes[0]
    across = (-dx * np.sin(turn) + dy * np.cos(turn)) / axes[1]
    edge = 1.0 / (1.0 + np.exp(9.0 * (np.hypot(along, across) - 1.0)))
    density = rng.uniform(0.75, 1.15) * (1.0 + 0.12 * rng.standard_normal(patch.shape))
    here = instances[rows, columns] == owner
    np.maximum(patch, np.where(here, edge * density, 0.0), out=patch)


def _develop(
    rng: np.random.Generator, hematoxylin: Plane, eosin: Plane, style: _Style
) -> NDArray[np.uint8]:
    """Return the picture that light makes of the stain densities."""
    h = ndimage.gaussian_filter(hematoxylin, 0.6) * style.hematoxylin
    e = ndimage.gaussian_filter(eosin, 0.6) * style.eosin
    blue = np.array([style.hue, 0.0, -style.hue])
    density = h[..., None] * (_HEMATOXYLIN + blue) + e[..., None] * (_EOSIN + blue / 2)
    light = 246.0 * np.exp(-density * 1.35)
    light += rng.normal(0, 2.2, light.shape) + 1.5 * smooth_noise(rng, h.shape, 120)[..., None]
    return np.clip(light, 0, 255).astype(np.uint8)
