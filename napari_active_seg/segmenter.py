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

from napari_active_seg.sampling_plan import SamplingPlan
from napari_active_seg.training_plan import TrainingPlan
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
    surroundings; there the target is 255. ``instances`` (H, W) numbers the objects where they are
    told apart, 0 being none, so that outlines part those that touch.
    """

    image: NDArray[np.uint8]
    target: NDArray[np.uint8]
    instances: NDArray[np.int32] | None = None


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

    ``samples`` are the probabilities of every pass, averaged over squares of
    ``SamplingPlan.joint_stride`` pixels, for acquisitions that weigh images together.
    """

    moments: Moments
    samples: NDArray[np.float32] | None = None  # (T, C, h, w)


class Segmenter(Protocol):
    """A model in use: it predicts, learns and can be written down."""

    @property
    def preset(self) -> str:
        """Name that the factory built it under."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names, in the order of its outputs."""

    @property
    def origin(self) -> str:
        """The weights that it started from, in words."""

    @property
    def draws_outlines(self) -> bool:
        """Whether ``contour`` can be asked for, so that objects can be told apart."""

    def predict(
        self, image: NDArray[np.uint8], *, plan: SamplingPlan, check_cancelled: Callable[[], None]
    ) -> ImageOutputs:
        """Return what passes over ``image`` (H, W, 3) uint8 say, as ``plan`` asks."""

    def embed(
        self, image: NDArray[np.uint8], *, check_cancelled: Callable[[], None]
    ) -> NDArray[np.float32]:
        """Return a coarse map (D, h, w) whose mean over a place says what is seen there."""

    def train(
        self,
        examples: Sequence[TrainExample],
        *,
        plan: TrainingPlan,
        on_step: Callable[[TrainStep], None],
        check_cancelled: Callable[[], None],
    ) -> TrainOutcome:
        """Learn from the labelled pixels of ``examples`` alone."""

    def save(self, path: Path, *, facts: Mapping[str, str]) -> None:
        """Write a checkpoint with ``facts`` (model id, seed, data hash) in its header."""


class SegmenterFactory(Protocol):
    """Makes segmenters; the composition root hands one to the session."""

    def build(
        self, preset: str, *, classes: tuple[str, ...], seed: int, weights: str = "pretrained"
    ) -> Segmenter:
        """Return an untrained segmenter.

        ``weights`` is "pretrained", "random" or the path of a file for its encoder.
        """

    def load(
        self, path: Path, *, classes: tuple[str, ...], outputs: tuple[int, ...] | None = None
    ) -> Segmenter:
        """Return the segmenter of a checkpoint; ModelError if foreign or damaged.

        ``outputs[i]`` is the place among ``classes`` of the checkpoint's output i; None if they
        are the classes that it was trained for. Outputs of one class are added up.
        """

    def ensemble(self, members: Sequence[Segmenter]) -> Segmenter:
        """Return a segmenter whose passes are those of all members; it does not learn."""
