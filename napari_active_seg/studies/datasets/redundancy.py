"""Pools of chosen redundancy: consecutive frames, or copies of the same image."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance

from napari_active_seg.studies.datasets.base import Sample
from napari_active_seg.studies.datasets.resizing import nearest

__all__ = ["augmented_pool", "consecutive_pool", "copied_pool", "original_of"]

_COPIES = 5
_COPY = "_copy"
#: Share of the area that a copy keeps.
_AREA = 0.85


def consecutive_pool(
    sequences: Sequence[Sequence[Sample]], *, size: int, following: int, seed: int
) -> tuple[Sample, ...]:
    """Return ``size`` frames: each that is drawn brings the ``following`` that come after it.

    The first frames of no two runs are drawn so near that their runs would meet, as long as there
    is room.
    """
    rng = np.random.default_rng(seed)
    frames = [(s, k) for s, frames in enumerate(sequences) for k in range(len(frames))]
    chosen: dict[tuple[int, int], Sample] = {}
    for apart in (True, False):
        for index in rng.permutation(len(frames)):
            s, k = frames[index]
            run = [(s, j) for j in range(k, min(k + following + 1, len(sequences[s])))]
            if len(chosen) >= size:
                break
            if apart and (len(run) <= following or any(place in chosen for place in run)):
                continue
            for place in run:
                if len(chosen) < size:
                    chosen[place] = sequences[place[0]][place[1]]
    return tuple(chosen[place] for place in sorted(chosen))


def augmented_pool(samples: Sequence[Sample], *, size: int, seed: int) -> tuple[Sample, ...]:
    """Return ``size`` samples: images that are drawn, each with five copies.

    A copy is cropped to 85 % of the area, scaled back, and its colours are changed.
    """
    return _with_copies(samples, _COPIES, size=size, seed=seed)


def copied_pool(samples: Sequence[Sample], *, copies: int, seed: int) -> tuple[Sample, ...]:
    """Return as many samples as there are, a part of them drawn with ``copies`` copies each."""
    return _with_copies(samples, copies, size=len(samples), seed=seed)


def original_of(image_id: str) -> str:
    """Return the id of the image that a copy was made of; an image is its own original."""
    ending = Path(image_id).suffix
    original, found, number = image_id.removesuffix(ending).rpartition(_COPY)
    return f"{original}{ending}" if found and number.isdecimal() else image_id


def _with_copies(
    samples: Sequence[Sample], copies: int, *, size: int, seed: int
) -> tuple[Sample, ...]:
    found: list[Sample] = []
    for index in np.random.default_rng(seed).permutation(len(samples)):
        found += [samples[index], *_copies(samples[index], copies, seed)]
        if len(found) >= size:
            break
    return tuple(found[:size])


def _copies(sample: Sample, count: int, seed: int) -> list[Sample]:
    made = []
    for number in range(1, count + 1):
        rng = np.random.default_rng((seed, number, *sample.id.encode()))
        corner, colours = rng.random(2), rng.uniform(0.75, 1.25, 3)
        change = partial(_cropped, (float(corner[0]), float(corner[1])))
        made.append(
            replace(
                sample,
                id=f"{sample.id}{_COPY}{number}",
                image=partial(_coloured, partial(change, sample.image), tuple(colours)),
                truth=partial(change, sample.truth),
                objects=None if sample.objects is None else partial(change, sample.objects),
            )
        )
    return made


def _cropped(corner: tuple[float, float], load: Callable[[], NDArray[np.generic]]) -> NDArray:  # type: ignore[type-arg]
    """Return a picture or its truth, cropped at a corner (shares of the room) and scaled back."""
    array = load()
    height, width = array.shape[:2]
    h, w = round(height * _AREA**0.5), round(width * _AREA**0.5)
    y, x = (
        int(share * (room + 1)) for share, room in zip(corner, (height - h, width - w), strict=True)
    )
    cut = array[y : y + h, x : x + w]
    if array.ndim == 3:
        scaled = Image.fromarray(cut).resize((width, height), Image.Resampling.BILINEAR)
        return np.asarray(scaled)
    return nearest(cut, (height, width))


def _coloured(
    load: Callable[[], NDArray[np.uint8]], amounts: tuple[float, ...]
) -> NDArray[np.uint8]:
    picture = Image.fromarray(load())
    for change, amount in zip(
        (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color), amounts, strict=True
    ):
        picture = change(picture).enhance(amount)
    return np.asarray(picture)
