"""What a training may look at: labelled pieces of images, held-out ones, unlabelled squares."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property, partial
from typing import overload

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.errors import ImageError
from napari_active_seg.images import ImageSource
from napari_active_seg.regions import UNLABELLED, Region, RegionLabel
from napari_active_seg.segmenter import TrainExample

__all__ = ["LazyExamples", "readable_examples", "training_example", "window_drawer"]

_log = logging.getLogger(__name__)
OpenSource = Callable[[str], ImageSource]
#: Pixels around a region that a network sees without learning from them.
_SURROUNDINGS = 64


class LazyExamples(Sequence[TrainExample]):
    """Examples of labels that are read when they are first looked at: most trainings never do.

    There are none where no image can be read.
    """

    def __init__(self, labels: Sequence[RegionLabel], open_source: OpenSource) -> None:
        self._labels, self._open_source = labels, open_source

    @cached_property
    def _examples(self) -> tuple[TrainExample, ...]:
        try:
            return readable_examples(self._labels, self._open_source)
        except ImageError as error:
            _log.warning("nothing is held out: %s", error)
            return ()

    @overload
    def __getitem__(self, place: int) -> TrainExample: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[TrainExample]: ...
    def __getitem__(self, place: int | slice) -> TrainExample | Sequence[TrainExample]:
        return self._examples[place]

    def __len__(self) -> int:
        return len(self._examples)


def readable_examples(
    labels: Sequence[RegionLabel],
    open_source: OpenSource,
    *,
    spare: frozenset[Region] = frozenset(),
) -> tuple[TrainExample, ...]:
    """Return what can be learned from; labels of images that cannot be read are logged.

    ImageError if none can be read. Regions that are ``spare`` may be held out.
    """
    examples: list[TrainExample] = []
    problems: list[ImageError] = []
    for label in labels:
        try:
            example = training_example(label, open_source)
            examples.append(replace(example, spare=label.region in spare))
        except ImageError as error:
            _log.warning("left out of the training: %s", error)
            problems.append(error)
    if problems and not examples:
        raise problems[0]
    return tuple(examples)


def training_example(label: RegionLabel, open_source: OpenSource) -> TrainExample:
    """Return the region's crop with its surroundings, where nothing is labelled."""
    source = open_source(label.region.image_id)
    around = label.region.grown(_SURROUNDINGS, source.shape)
    target = np.full(around.shape, UNLABELLED, np.uint8)
    y, x = label.region.y - around.y, label.region.x - around.x
    inside = (slice(y, y + label.region.height), slice(x, x + label.region.width))
    target[inside] = label.target
    objects = None
    if label.objects is not None:
        objects = np.zeros(around.shape, np.int32)
        objects[inside] = label.objects
    image = source.read(0, around.y, around.x, around.height, around.width)
    return TrainExample(image, target, objects)


def window_drawer(
    image_ids: tuple[str, ...], open_source: OpenSource
) -> Callable[[np.random.Generator, int], NDArray[np.uint8]] | None:
    """Return what draws squares (side, side, 3) of images; None where there are none."""
    return partial(_drawn_window, image_ids, open_source) if image_ids else None


def _drawn_window(
    image_ids: tuple[str, ...], open_source: OpenSource, rng: np.random.Generator, side: int
) -> NDArray[np.uint8]:
    for _ in range(len(image_ids) + 1):
        image_id = image_ids[int(rng.integers(len(image_ids)))]
        try:
            return _random_square(open_source(image_id), side, rng)
        except ImageError as error:
            _log.warning("not learned from: %s", error)
    raise ImageError("none of the pool's images can be read")


def _random_square(source: ImageSource, side: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return a square (side, side, 3) of a random place; a smaller image is mirrored."""
    height, width = (min(side, length) for length in source.shape)
    y = int(rng.integers(source.shape[0] - height + 1))
    x = int(rng.integers(source.shape[1] - width + 1))
    window = source.read(0, y, x, height, width)
    around = ((0, side - height), (0, side - width), (0, 0))
    return np.pad(window, around, mode="symmetric")
