"""The data of a training: labelled parts of images, held-out ones, unlabelled squares."""

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
from napari_active_seg.models.segmenter import TrainExample
from napari_active_seg.regions import UNLABELLED, Region, RegionLabel

__all__ = ["LazyExamples", "readable_examples", "training_example", "window_drawer"]

_log = logging.getLogger(__name__)
OpenSource = Callable[[str], ImageSource]
#: Pixels around a region that a network sees without learning from them.
_SURROUNDINGS = 64
#: Most pixels of a shared rectangle, as a multiple of what its regions take one by one.
_MOST_WASTE = 1.5


class LazyExamples(Sequence[TrainExample]):
    """Examples of labels that are read when first used, which most trainings never do.

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
    holdout: frozenset[Region] = frozenset(),
) -> tuple[TrainExample, ...]:
    """Return what can be learned from; labels of images that cannot be read are logged.

    Labels that lie near each other come as one example, so that a crop shows all that is known of
    its place. ImageError if none can be read. Regions that are ``holdout`` may be held out.
    """
    examples: list[TrainExample] = []
    problems: list[ImageError] = []
    for neighbours in _neighbours(labels, holdout):
        try:
            example = training_example(neighbours, open_source)
            examples.append(replace(example, holdout=neighbours[0].region in holdout))
        except ImageError as error:
            _log.warning("left out of the training: %s", error)
            problems.append(error)
    if problems and not examples:
        raise problems[0]
    return tuple(examples)


def training_example(labels: Sequence[RegionLabel], open_source: OpenSource) -> TrainExample:
    """Return the piece of an image around labels of it; nothing is labelled between them.

    Where labels lie over each other the later one counts.
    """
    source = open_source(labels[0].region.image_id)
    around = _hull([label.region for label in labels]).grow(_SURROUNDINGS, source.shape)
    target = np.full(around.shape, UNLABELLED, np.uint8)
    objects = np.zeros(around.shape, np.int32)
    for label in labels:
        y, x = label.region.y - around.y, label.region.x - around.x
        inside = (slice(y, y + label.region.height), slice(x, x + label.region.width))
        known = label.target != UNLABELLED
        target[inside][known] = label.target[known]
        if label.objects is not None:
            ids = np.where(label.objects > 0, label.objects + objects.max(), 0)
            objects[inside][known] = ids[known]
    image = source.read(0, around.y, around.x, around.height, around.width)
    return TrainExample(image, target, None if labels[0].objects is None else objects)


def _neighbours(
    labels: Sequence[RegionLabel], holdout: frozenset[Region]
) -> tuple[list[RegionLabel], ...]:
    """Return labels in groups that lie near each other, as far as that wastes no memory.

    Labels with and without ids of objects, and spare ones and others, stay apart.
    """
    groups: dict[tuple[str, bool, bool], list[_Group]] = {}
    found: list[_Group] = []
    for label in labels:
        key = (label.region.image_id, label.region in holdout, label.objects is None)
        near = groups.setdefault(key, [])
        group = next((g for g in near if g.takes(label.region)), None)
        if group is None:
            group = _Group()
            near.append(group)
            found.append(group)
        group.add(label)
    return tuple(group.labels for group in found)


class _Group:
    """Labels that come as one example, and the rectangle that holds them."""

    def __init__(self) -> None:
        self.labels: list[RegionLabel] = []
        self._hull: Region | None = None
        self._separate = 0  # pixels that they would take one by one

    def takes(self, region: Region) -> bool:
        """Return whether a region is near, and one rectangle takes hardly more than two would."""
        if self._hull is None:
            return True
        reach = 2 * _SURROUNDINGS
        near = (
            region.y < self._hull.bottom + reach
            and self._hull.y < region.bottom + reach
            and region.x < self._hull.right + reach
            and self._hull.x < region.right + reach
        )
        both = _pixels_around(_hull([self._hull, region]))
        return near and both <= _MOST_WASTE * (self._separate + _pixels_around(region))

    def add(self, label: RegionLabel) -> None:
        """Take a label in."""
        self.labels.append(label)
        before = [] if self._hull is None else [self._hull]
        self._hull = _hull([*before, label.region])
        self._separate += _pixels_around(label.region)


def _hull(regions: Sequence[Region]) -> Region:
    """Return the least rectangle that holds regions of one image."""
    top, left = min(r.y for r in regions), min(r.x for r in regions)
    bottom, right = max(r.bottom for r in regions), max(r.right for r in regions)
    return Region(regions[0].image_id, top, left, bottom - top, right - left)


def _pixels_around(region: Region) -> int:
    return (region.height + 2 * _SURROUNDINGS) * (region.width + 2 * _SURROUNDINGS)


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
