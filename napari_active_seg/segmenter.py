"""The seam between the loop and any network: numpy in, numpy out.

``learning`` implements it with torch; tests implement it with a few lines; nobody else
needs to know which.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.uncertainty import Moments

__all__ = [
    "ImageOutputs",
    "Segmenter",
    "SegmenterFactory",
    "TrainExample",
    "TrainOutcome",
    "TrainStep",
]


@dataclass(frozen=True, slots=True, eq=False)
class TrainExample:
    """A piece of an image (H, W, 3) uint8 with its target (H, W) uint8.

    The piece may be larger than what was labelled, so that a network sees the
    surroundings; there the target is 255.
    """

    image: NDArray[np.uint8]
    target: NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class TrainStep:
    """One optimiser step, as told to whoever watches."""

    step: int
    n_steps: int
    loss: float


@dataclass(frozen=True, slots=True)
class TrainOutcome:
    """What a training ended with: the loss at every step, and the seconds it took."""

    losses: tuple[float, ...]
    seconds: float


@dataclass(frozen=True, slots=True, eq=False)
class ImageOutputs:
    """What a segmenter says of one image.

    The optional parts serve acquisitions that are not functions of the moments.
    """

    moments: Moments
    embedding: NDArray[np.float32] | None = None  # (D,)
    score: float | None = None
    samples: NDArray[np.float32] | None = None  # (T, C, H, W)


class Segmenter(Protocol):
    """A model in use: it predicts, learns and can be written down."""

    @property
    def preset(self) -> str:
        """Name that the factory built it under."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names, in the order of its outputs."""

    def predict(
        self,
        image: NDArray[np.uint8],
        *,
        samples: int,
        seed: int,
        check_cancelled: Callable[[], None],
    ) -> ImageOutputs:
        """Return the moments of ``samples`` passes over ``image`` (H, W, 3) uint8."""

    def train(
        self,
        examples: Sequence[TrainExample],
        *,
        seed: int,
        epochs: int | None,
        on_step: Callable[[TrainStep], None],
        check_cancelled: Callable[[], None],
    ) -> TrainOutcome:
        """Learn from the labelled pixels of ``examples`` alone."""

    def save(self, path: Path, *, facts: Mapping[str, str]) -> None:
        """Write a checkpoint with ``facts`` (model id, seed, data hash) in its header."""


class SegmenterFactory(Protocol):
    """Makes segmenters; the composition root hands one to the session."""

    def build(self, preset: str, *, classes: tuple[str, ...], seed: int) -> Segmenter:
        """Return an untrained segmenter."""

    def load(
        self, path: Path, *, classes: tuple[str, ...], outputs: tuple[int, ...] | None = None
    ) -> Segmenter:
        """Return the segmenter of a checkpoint; ModelError if foreign or damaged.

        ``outputs[i]`` is the place among ``classes`` of the checkpoint's output i; None if they
        are the classes that it was trained for. Outputs of one class are added up.
        """
