"""Frames around regions, and the dark veil around the one selected: one mesh of all.

A mesh of a thousand frames is drawn as fast as one, and its lines are as wide on a slide that is
looked at from afar as they are close by. It is one layer on purpose: software OpenGL crashes where
napari removes two layers of meshes between two paintings of the canvas.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from napari.utils.colormaps import Colormap
from numpy.typing import NDArray

__all__ = ["Mesh", "colours_by_value", "joined", "outline_mesh", "veil_mesh"]

#: Corners (N, 2), triangles (M, 3) of them, and a number (N,) that gives each corner its colour.
Mesh = tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.float64]]


def outline_mesh(
    rings: Sequence[NDArray[np.floating]], values: Sequence[float], widths: Sequence[float]
) -> Mesh:
    """Return closed rings (each (K, 2)) as bands of ``widths``, each of the colour of its value.

    Bands lie outside and inside of their line alike; where two sides meet, both reach past the
    corner by half a width, so that a square has square corners.
    """
    if not rings:
        return np.zeros((3, 2)), np.array([[0, 1, 2]]), np.zeros(3)
    starts = np.concatenate(rings).astype(np.float64)
    counts = [len(ring) for ring in rings]
    last_of = np.cumsum(counts) - 1
    following = np.arange(1, len(starts) + 1)
    following[last_of] = last_of + 1 - np.asarray(counts)
    ends = starts[following]
    half = np.repeat(np.asarray(widths, np.float64), counts)[:, None] / 2
    along = ends - starts
    length = np.linalg.norm(along, axis=1, keepdims=True)
    along = np.divide(along, length, out=np.zeros_like(along), where=length > 0)
    across = along[:, ::-1] * np.array([1.0, -1.0])
    first, last = starts - along * half, ends + along * half
    corners = np.stack(
        [first + across * half, last + across * half, last - across * half, first - across * half],
        axis=1,
    ).reshape(-1, 2)
    quads = np.arange(len(starts))[:, None] * 4
    faces = np.concatenate([quads + np.array([0, 1, 2]), quads + np.array([0, 2, 3])])
    return corners, faces, np.repeat(np.repeat(np.asarray(values, np.float64), counts), 4)


def veil_mesh(
    shape: tuple[int, int], hole: tuple[float, float, float, float], value: float
) -> Mesh:
    """Return all of an image (H, W) but a rectangle (top, left, bottom, right) of it."""
    height, width = shape
    top, left, bottom, right = hole

    def corners(y0: float, x0: float, y1: float, x1: float) -> list[list[float]]:
        return [[y0, x0], [y0, x1], [y1, x1], [y1, x0]]

    outer = corners(-0.5, -0.5, height - 0.5, width - 0.5)
    inner = corners(top, left, bottom, right)
    faces = []
    for k in range(4):
        n = (k + 1) % 4
        faces += [[k, n, 4 + k], [n, 4 + n, 4 + k]]
    return np.array(outer + inner, np.float64), np.array(faces), np.full(8, value)


def joined(first: Mesh, second: Mesh) -> Mesh:
    """Return two meshes as one, the second over the first."""
    return (
        np.concatenate([first[0], second[0]]),
        np.concatenate([first[1], second[1] + len(first[0])]),
        np.concatenate([first[2], second[2]]),
    )


def colours_by_value(colours: Sequence[tuple[float, float, float, float]]) -> Colormap:
    """Return a colormap in which value k has the k-th colour."""
    return Colormap(np.array(colours), name="region states", display_name="region states")
