"""A dermoscopy-like drawing of one pigmented lesion on skin.

Skin tone and sheen, an irregular border, a pigment network, globules, sometimes a bluish
veil, hair across it, and the dark corners of the instrument.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_active_seg.images.samples.picture import SamplePicture, blob_radius, smooth_noise

__all__ = ["draw_dermoscopy"]

Plane = NDArray[np.float64]
Colour = NDArray[np.float64]
_FAIR = np.array([226.0, 178.0, 156.0])
_TANNED = np.array([176.0, 122.0, 92.0])


def draw_dermoscopy(seed: int, shape: tuple[int, int] = (384, 512)) -> SamplePicture:
    """Return a dermoscopy-like picture of a lesion with its mask."""
    rng = np.random.default_rng((seed, 0x4445))
    signed = _signed_outline(rng, shape)
    tone = _FAIR + (_TANNED - _FAIR) * rng.beta(1.3, 2.2)
    picture = _skin(rng, shape, tone)
    _paint_lesion(rng, picture, signed, tone)
    for _ in range(int(rng.integers(0, 15))):
        _draw_hair(rng, picture)
    _add_sheen(rng, picture)
    _darken_corners(rng, picture)
    picture += rng.normal(0, 1.8, picture.shape)
    image = np.clip(ndimage.gaussian_filter(picture, (0.5, 0.5, 0)), 0, 255).astype(np.uint8)
    return SamplePicture(image, (signed > 0).astype(np.uint16))


def _signed_outline(rng: np.random.Generator, shape: tuple[int, int]) -> Plane:
    """Return pixels to the border, positive inside the lesion."""
    scale = min(shape) / 384
    centre = np.array(shape) * rng.uniform(0.4, 0.6, 2)
    stretch, turn = rng.uniform(1.0, 1.45), rng.uniform(0, np.pi)
    y, x = np.ogrid[: shape[0], : shape[1]]
    dy, dx = y - centre[0], x - centre[1]
    along = (dx * np.cos(turn) + dy * np.sin(turn)) / stretch
    across = -dx * np.sin(turn) + dy * np.cos(turn)
    outline = blob_radius(rng, np.arctan2(across, along), roughness=rng.uniform(0.08, 0.3))
    fringe = rng.uniform(2.0, 6.0) * smooth_noise(rng, shape, 7 * scale)
    field = scale * rng.uniform(60, 130) * outline - np.hypot(along, across) + fringe
    largest = _largest_component(field > 0)
    filled = ndimage.binary_fill_holes(largest)
    inside = ndimage.distance_transform_edt(filled)
    outside = ndimage.distance_transform_edt(~filled)
    signed: Plane = inside - outside
    return signed


def _largest_component(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    labels, count = ndimage.label(mask)
    sizes = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    largest: NDArray[np.bool_] = labels == 1 + int(sizes.argmax())
    return largest


def _skin(rng: np.random.Generator, shape: tuple[int, int], tone: Colour) -> Colour:
    shade = 5.0 * smooth_noise(rng, shape, 70) + 2.5 * smooth_noise(rng, shape, 3)
    shade += 2.2 * np.abs(smooth_noise(rng, shape, 5)) - 2.0
    blush = np.maximum(smooth_noise(rng, shape, 40), 0) * rng.uniform(0, 7)
    colour: Colour = tone + shade[..., None]
    colour[..., 1:] -= blush[..., None]
    return colour


def _paint_lesion(rng: np.random.Generator, picture: Colour, signed: Plane, tone: Colour) -> None:
    shape = signed.shape
    brown = tone * (rng.uniform(0.48, 0.74) * np.array([1.0, rng.uniform(0.76, 0.86), 0.70]))
    dark = tone * (rng.uniform(0.20, 0.38) * np.array([1.0, rng.uniform(0.80, 0.92), 0.84]))
    softness = rng.uniform(1.5, 6.0)
    cover = 1.0 / (1.0 + np.exp(-signed / softness))
    core = np.clip(signed / max(float(signed.max()), 1.0), 0, 1)
    mix = np.clip(0.55 * core + 0.28 * smooth_noise(rng, shape, 22) + 0.12, 0, 1)
    mix = np.clip(mix + rng.uniform(0.10, 0.34) * _network(rng, shape), 0, 1)
    pigment = brown + (dark - brown) * mix[..., None]
    if rng.random() < 0.4:
        veil = np.clip(smooth_noise(rng, shape, 30) - 0.5, 0, 1) * core
        pigment += veil[..., None] * (np.array([118.0, 128.0, 152.0]) - pigment) * 0.7
    if rng.random() < 0.6:
        dots = smooth_noise(rng, shape, 3.0) > 2.0
        soft = ndimage.gaussian_filter(dots.astype(float), 1.2)[..., None]
        pigment += soft * (dark * 0.75 - pigment) * 0.9
    picture += cover[..., None] * (pigment - picture)


def _network(rng: np.random.Generator, shape: tuple[int, int]) -> Plane:
    """Return the brown honeycomb lines of a pigment network, 0..1."""
    spacing = rng.uniform(8, 13)
    points = rng.uniform(0, 1, (int(shape[0] * shape[1] / spacing**2), 2)) * shape
    seeds = np.ones(shape, bool)
    seeds[tuple(points.astype(int).T)] = False
    distance, nearest = ndimage.distance_transform_edt(seeds, return_indices=True)
    cell = nearest[0] * shape[1] + nearest[1]
    edges = (cell != np.roll(cell, 1, 0)) | (cell != np.roll(cell, 1, 1))
    lines = ndimage.gaussian_filter(edges.astype(float), 1.3)
    network: Plane = lines / lines.max() * np.clip(distance / spacing + 0.4, 0, 1)
    return network


def _draw_hair(rng: np.random.Generator, picture: Colour) -> None:
    """Draw one dark curve with a soft edge (a quadratic Bezier across the picture)."""
    height, width = picture.shape[:2]
    size = np.array([height, width])
    start, end = rng.uniform(-0.1, 1.1, (2, 2)) * size
    bend = (start + end) / 2 + rng.normal(0, 0.13, 2) * size
    t = np.linspace(0, 1, 4 * max(height, width))[:, None]
    curve = (1 - t) ** 2 * start + 2 * t * (1 - t) * bend + t**2 * end
    rows, columns = np.round(curve).astype(int).T
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    line = np.zeros((height, width))
    line[rows[inside], columns[inside]] = 1.0
    thickness = rng.uniform(0.7, 1.5)
    cover = np.clip(ndimage.gaussian_filter(line, thickness) * thickness * 2.6, 0, 0.92)
    colour = np.array([44.0, 30.0, 24.0]) * rng.uniform(0.6, 1.8)
    picture += cover[..., None] * (colour - picture)


def _add_sheen(rng: np.random.Generator, picture: Colour) -> None:
    """Brighten a few spots, as the immersion fluid and the lamp do."""
    shape = (picture.shape[0], picture.shape[1])
    spots = np.clip(smooth_noise(rng, shape, 9) - 2.6, 0, 1)
    picture += (spots * rng.uniform(20, 90))[..., None]


def _darken_corners(rng: np.random.Generator, picture: Colour) -> None:
    height, width = picture.shape[:2]
    y, x = np.ogrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    radius = np.hypot(y * height / width, x)
    falloff = 1.0 - rng.uniform(0.08, 0.28) * np.clip(radius, 0, 1.3) ** 2.5
    if rng.random() < 0.4:
        falloff = falloff * (1.0 / (1.0 + np.exp(60 * (radius - rng.uniform(1.02, 1.12)))))
    picture *= falloff[..., None]
