"""Labelled images in memory, and what a seed makes of them: start, validation, pool, test."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.errors import ConfigError

__all__ = ["ImagePool", "Places", "drawn_places", "shown_places"]


@dataclass(frozen=True, slots=True, eq=False)
class ImagePool:
    """Images (N, H, W, channels) uint8 with labels (N,) uint8, to learn from and to test on."""

    classes: tuple[str, ...]
    images: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    test_images: NDArray[np.uint8]
    test_labels: NDArray[np.uint8]

    @property
    def shape(self) -> tuple[int, int, int]:
        """``(height, width, channels)`` of an image."""
        height, width, channels = self.images.shape[1:]
        return height, width, channels

    def of_classes(self, kept: tuple[int, ...]) -> ImagePool:
        """Return the pool with only these classes, renumbered; none keeps all."""
        if not kept:
            return self
        numbers = np.zeros(256, np.uint8)
        numbers[list(kept)] = np.arange(len(kept))
        own, test = (np.isin(labels, kept) for labels in (self.labels, self.test_labels))
        return ImagePool(
            tuple(self.classes[value] for value in kept),
            self.images[own],
            numbers[self.labels[own]],
            self.test_images[test],
            numbers[self.test_labels[test]],
        )

    def with_drawn_test(self, by_class: tuple[int, ...], *, seed: int) -> ImagePool:
        """Return the pool with a number of images of each class set aside as test images."""
        order = np.random.default_rng((seed, 107)).permutation(len(self.labels))
        held: list[int] = []
        for value, count in enumerate(by_class):
            own = [int(i) for i in order if self.labels[i] == value]
            if len(own) < count:
                raise ConfigError(
                    f"{self.classes[value]} has {len(own)} images, {count} are wanted"
                )
            held += own[:count]
        rest = np.setdiff1d(np.arange(len(self.labels)), held)
        return ImagePool(
            self.classes,
            self.images[rest],
            self.labels[rest],
            self.images[held],
            self.labels[held],
        )

    def with_test(self, most: int) -> ImagePool:
        """Return the pool with ``most`` test images, as far apart as can be; 0 keeps all.

        The halves of MNIST's test images come from different sources; neither stands for all.
        """
        if not 0 < most < len(self.test_images):
            return self
        kept = np.arange(most) * len(self.test_images) // most
        return replace(self, test_images=self.test_images[kept], test_labels=self.test_labels[kept])


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """Which images of a pool are labelled at first, for validation, and open to be asked for."""

    start: NDArray[np.int64]
    validation: NDArray[np.int64]
    open: NDArray[np.int64]


def drawn_places(
    labels: NDArray[np.uint8],
    *,
    per_class: int | tuple[int, ...],
    validation: int,
    pool: int,
    seed: int,
) -> Places:
    """Return a draw by ``seed``: so many of each class to start with, then the rest at random.

    ``pool`` is how many are open, 0 for all that remain. The validation is balanced too, as far as
    its size is a multiple of the classes.
    """
    rng = np.random.default_rng((seed, 101))
    order = rng.permutation(len(labels)).astype(np.int64)
    n_classes = int(labels.max()) + 1
    taken = np.zeros(len(labels), bool)

    def balanced(counts: int | tuple[int, ...]) -> NDArray[np.int64]:
        kept: list[int] = []
        for value in range(n_classes):
            count = counts if isinstance(counts, int) else counts[value]
            free = [i for i in order if labels[i] == value and not taken[i]]
            if len(free) < count:
                raise ConfigError(f"class {value} has {len(free)} images left, {count} are wanted")
            kept += free[:count]
            taken[free[:count]] = True
        return np.array(kept, np.int64)

    start = balanced(per_class)
    held = balanced(validation // n_classes)
    rest = order[~taken[order]]
    missing = validation - len(held)
    held, rest = np.concatenate([held, rest[:missing]]), rest[missing:]
    return Places(start, held, np.sort(rest[:pool] if pool else rest))


def shown_places(
    places: Places,
    labelled: NDArray[np.int64],
    *,
    stream: int,
    candidates: int = 0,
    step: int,
    seed: int,
) -> NDArray[np.int64]:
    """Return which images may be asked for: all that wait, or what a stream shows at a step.

    ``candidates`` are how many of those that wait a draw takes at each step, 0 for all. A stream
    that has shown all images begins again with those that are not labelled.
    """
    if not stream:
        waiting = np.setdiff1d(places.open, labelled, assume_unique=True)
        if not 0 < candidates < len(waiting):
            return waiting
        draw = np.random.default_rng((seed, step, 104))
        return draw.choice(waiting, candidates, replace=False)
    order = np.random.default_rng((seed, 103)).permutation(places.open)
    shown = np.take(order, np.arange(step * stream, (step + 1) * stream), mode="wrap")
    kept: NDArray[np.int64] = shown[~np.isin(shown, labelled)]
    return kept
