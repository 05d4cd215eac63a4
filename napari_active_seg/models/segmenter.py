"""The interface between the active learning loop and any network: numpy in, numpy out.

``learning`` implements it with torch; tests implement it with a few lines; nobody else
needs to know which.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.acquisition import CostExample, FittedCost
from napari_active_seg.models.image_head import HeadExamples, ImagePredictions
from napari_active_seg.models.inference_options import InferenceOptions
from napari_active_seg.models.training_options import TrainingOptions
from napari_active_seg.uncertainty import Moments

__all__ = [
    "ImageOutputs",
    "ResumeTarget",
    "Segmenter",
    "SegmenterFactory",
    "TrainExample",
    "TrainOutcome",
    "TrainStep",
    "TrainableSegmenter",
    "TrainingData",
    "describe_duration",
]


@dataclass(frozen=True, slots=True, eq=False)
class TrainExample:
    """A piece of an image (H, W, 3) uint8 with its target (H, W) uint8.

    The piece may be larger than what was labelled, so that a network sees the
    surroundings; there the target is 255. ``instances`` (H, W) numbers the objects where they are
    separated, 0 being no object, so that outlines separate those that touch. ``holdout`` examples
    may be held out where there is no validation.
    """

    image: NDArray[np.uint8]
    target: NDArray[np.uint8]
    instances: NDArray[np.int32] | None = None
    holdout: bool = False


@dataclass(frozen=True, slots=True)
class TrainStep:
    """One optimiser step, as reported to ``on_step``.

    ``parts`` are the losses in addition to the one on labelled pixels; ``held_out`` is the
    latest loss on labels that are not learned from.
    """

    step: int
    n_steps: int
    loss: float
    epoch: int = 1
    n_epochs: int = 1
    seconds_left: float | None = None
    parts: Mapping[str, float] = field(default_factory=dict)
    held_out: float | None = None

    @property
    def summary(self) -> str:
        """Where the training is, in a line."""
        text = f"epoch {self.epoch} of {self.n_epochs}, loss {self.loss:.3f}"
        text += "".join(f", {name} {value:.3f}" for name, value in self.parts.items())
        if self.held_out is not None:
            text += f", held out {self.held_out:.3f}"
        if self.seconds_left is not None:
            text += f", about {describe_duration(self.seconds_left)} left"
        return text


@dataclass(frozen=True, slots=True)
class TrainOutcome:
    """The result of a training: the loss at every step, and the seconds it took.

    ``resumed_at`` is the step that an earlier try had come to, 0 where there was none; ``held_out``
    are steps with the loss on labels that were not learned from. ``notes`` list deviations
    from the options.
    """

    losses: tuple[float, ...]
    seconds: float
    resumed_at: int = 0
    held_out: tuple[tuple[int, float], ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def best_held_out(self) -> float | None:
        """The lowest loss on held-out labels; None where there were none."""
        return min((loss for _, loss in self.held_out), default=None)


@dataclass(frozen=True, slots=True, eq=False)
class TrainingData:
    """All data that a training may use.

    It learns from ``examples``; ``held_out`` are only evaluated, to keep the best state and to stop
    early. ``draw_window`` returns a square (side, side, 3) of a random image of the pool, for
    what needs no labels.
    """

    examples: Sequence[TrainExample]
    held_out: Sequence[TrainExample] = ()
    draw_window: Callable[[np.random.Generator, int], NDArray[np.uint8]] | None = None


@dataclass(frozen=True, slots=True)
class ResumeTarget:
    """Where the state of a training is saved, and a signature of all that decides its course."""

    path: Path
    signature: str


def describe_duration(seconds: float) -> str:
    """Format a duration in seconds, minutes or hours."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


@dataclass(frozen=True, slots=True, eq=False)
class ImageOutputs:
    """The outputs of a segmenter for one image.

    ``samples`` are the probabilities of every pass, averaged over squares of
    ``InferenceOptions.joint_stride`` pixels, for acquisitions that weigh images together.
    """

    moments: Moments
    samples: NDArray[np.float32] | None = None  # (T, C, h, w)


class Segmenter(Protocol):
    """A trained model, or an ensemble of several, that predicts."""

    @property
    def preset(self) -> str:
        """Name that the factory built it under."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names, in the order of its outputs."""

    @property
    def origin(self) -> str:
        """A description of the weights that it started from."""

    @property
    def has_contours(self) -> bool:
        """Whether the output ``contour`` exists, which separates touching objects."""

    def predict(
        self,
        image: NDArray[np.uint8],
        *,
        plan: InferenceOptions,
        check_cancelled: Callable[[], None],
    ) -> ImageOutputs:
        """Predict an image.

        Parameters
        ----------
        image
            Pixels (H, W, 3) uint8.
        plan
            Number and source of the samples, and further outputs.
        check_cancelled
            Called between samples; may raise to stop.

        Returns
        -------
        ImageOutputs
            The moments of the samples, and the samples themselves where ``plan`` has a
            ``joint_stride``.

        Raises
        ------
        ModelError
            If the network does not support ``plan`` or returns NaN.
        """

    def check_sampling(self, plan: InferenceOptions) -> None:
        """Raise ModelError, before any work, if the network does not support ``plan``."""

    def embed(
        self, image: NDArray[np.uint8], *, check_cancelled: Callable[[], None]
    ) -> NDArray[np.float32]:
        """Return a coarse feature map (D, h, w), whose mean over a region is its embedding."""

    def free_memory(self) -> None:
        """Leave the GPU until the next prediction."""

    def write_onnx(self, path: Path) -> int:
        """Write the network without dropout as ONNX, and return the multiple of its input sizes.

        ModelError if the network cannot be written so.
        """


class TrainableSegmenter(Segmenter, Protocol):
    """A single model: it also trains, and is saved as a checkpoint."""

    def train(
        self,
        data: TrainingData,
        *,
        plan: TrainingOptions,
        on_step: Callable[[TrainStep], None],
        check_cancelled: Callable[[], None],
        kept: ResumeTarget | None = None,
    ) -> TrainOutcome:
        """Train on the labelled pixels of ``data.examples``.

        Parameters
        ----------
        data
            Labelled examples, held-out examples, and windows without labels.
        plan
            Length, optimiser, loss and all other settings.
        on_step
            Called after each optimiser step.
        check_cancelled
            Called before each step; may raise to stop.
        kept
            Where to save the state after each epoch; a training with the same signature that was
            killed resumes from there.

        Returns
        -------
        TrainOutcome
            The losses, the time, and notes on deviations from ``plan``.

        Raises
        ------
        NothingToDoError
            If no pixel is labelled.
        """

    def estimate_training_seconds(self, data: TrainingData, *, plan: TrainingOptions) -> float:
        """Estimate the training time from a few steps, which change the network."""

    def save(self, path: Path, *, facts: Mapping[str, str]) -> None:
        """Write a checkpoint with ``facts`` (model id, seed, data hash) in its header."""


class SegmenterFactory(Protocol):
    """Builds and loads segmenters; ``open_session`` passes one to the session."""

    def build(
        self, preset: str, *, classes: tuple[str, ...], seed: int, weights: str = "pretrained"
    ) -> TrainableSegmenter:
        """Build an untrained segmenter.

        Parameters
        ----------
        preset
            Name of the network, such as ``fast`` or ``unet``.
        classes
            Class names, in the order of the outputs.
        seed
            Seed of the random initial weights.
        weights
            ``pretrained``, ``random``, or the path of a file for the encoder.

        Raises
        ------
        ConfigError
            If the preset is unknown.
        ModelError
            If the weights cannot be loaded.
        """

    def candidates(self) -> tuple[str, ...]:
        """Return the presets that suit the device, the best first."""

    def load(
        self, path: Path, *, classes: tuple[str, ...], outputs: tuple[int, ...] | None = None
    ) -> TrainableSegmenter:
        """Load the segmenter of a checkpoint.

        Parameters
        ----------
        path
            The checkpoint file.
        classes
            Class names, in the order of the outputs.
        outputs
            ``outputs[i]`` is the position among ``classes`` of the checkpoint's output i; outputs
            of one class are summed. None if ``classes`` are those of the checkpoint.

        Raises
        ------
        ModelError
            If the file is not a checkpoint of this package, or is damaged.
        """

    def free_memory(self) -> None:
        """Release the memory that the device caches."""

    def fit_cost(
        self,
        examples: Sequence[CostExample],
        *,
        seed: int,
        check_cancelled: Callable[[], None],
    ) -> FittedCost:
        """Return a fitted cost model, and its cross-validated cost of each example."""

    def fit_head(
        self, examples: HeadExamples, seed: int, check_cancelled: Callable[[], None]
    ) -> ImagePredictions:
        """Return a fitted predictor of image classes from a network's features."""

    def ensemble(self, members: Sequence[TrainableSegmenter]) -> Segmenter:
        """Return an ensemble whose samples are those of all members."""
