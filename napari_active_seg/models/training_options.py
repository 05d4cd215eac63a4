"""How a network is trained."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from napari_active_seg.models.options import Options, runtime

__all__ = ["MAX_TRAINING_LENGTH", "TrainingOptions"]

#: How many times as long a person may let a network train: a minute becomes a night.
MAX_TRAINING_LENGTH = 1000
#: A week: a longer limit would limit nothing.
_MAX_TRAINING_SECONDS = 7 * 24 * 3600.0


class TrainingOptions(Options):
    """How a network is trained; None stands for the preset's own value.

    Every option is a keyword argument; an unknown name or a value out of range raises ConfigError.

    The last five are set by a run and not by a person: ``epochs`` sets the number of steps in
    passes over the labels, ``learned_loss`` trains a module that predicts the network's loss,
    ``holds_out`` keeps labels aside even where training does not stop early, and ``shorter``
    divides the number of steps where a training starts from the current model.

    Examples
    --------
    >>> options = TrainingOptions(init="scratch", steps=200)
    >>> options.initial_weights, options.with_changes(steps=100).steps
    ('random', 100)
    """

    unset: ClassVar[str] = "preset"

    init: Literal["current", "pretrained", "scratch"] = Field(
        default="current",
        description="What training starts from: the current model (pretrained weights where there "
        "is none that fits), pretrained weights of the encoder, or scratch (random weights).",
    )
    weights_file: str | None = Field(
        default=None,
        description="File of encoder weights that is used in place of the published pretrained "
        "ones; not used where init is scratch.",
    )
    training_length: int = Field(
        default=1,
        ge=1,
        le=MAX_TRAINING_LENGTH,
        description="How many times as many steps to train as the preset does.",
    )
    steps: int | None = Field(
        default=None, ge=1, le=100_000_000, description="Number of optimiser steps."
    )
    batch: int | None = Field(
        default=None, ge=1, le=65_536, description="Training crops in a step."
    )
    crop: int | None = Field(
        default=None, ge=16, le=16_384, description="Side of a training crop in pixels."
    )
    loss: Literal["cross-entropy", "dice", "focal", "cross-entropy+dice"] = Field(
        default="cross-entropy", description="Loss on labelled pixels."
    )
    class_balance: Literal["none", "weights", "sampling"] = Field(
        default="none",
        description="Treatment of rare classes: none, heavier pixels (weights), or more of them in "
        "a batch (sampling).",
    )
    augmentation: Literal["none", "flips", "general", "histology", "dermoscopy"] = Field(
        default="general", description="How images are changed during training."
    )
    optimiser: Literal["adamw", "adam", "sgd"] | None = Field(
        default=None, description="Optimiser of the weights."
    )
    schedule: Literal["one-cycle", "cosine", "poly", "constant"] | None = Field(
        default=None, description="Course of the learning rate."
    )
    learning_rate: float | None = Field(
        default=None, gt=0, le=1e6, description="Highest learning rate."
    )
    ema_decay: float | None = Field(
        default=None,
        ge=0,
        lt=1,
        description="Decay of the exponential moving average of the weights, which is kept in the "
        "end; 0 keeps the last weights.",
    )
    patience: int | None = Field(
        default=None,
        ge=0,
        le=1_000_000,
        description="Early stopping: evaluations on held-out labels in a row without improvement; "
        "0 never stops early.",
    )
    restarts: int = Field(
        default=1,
        ge=1,
        le=50,
        description="Trainings from different seeds, of which the best is kept.",
    )
    semi_supervised: Literal["off", "consistency", "s4gan"] = Field(
        default="off", description="How images without labels are used in training."
    )
    pseudo_label_threshold: float = Field(
        default=0.9,
        gt=0,
        lt=1,
        description="Least probability of a class at which a pixel without a label is learned as "
        "that class.",
    )
    batch_norm: Literal["trained", "frozen"] = Field(
        default="trained", description="Whether batch norm is trained or frozen."
    )
    training_precision: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        default="auto",
        description="Arithmetic of training; auto is half precision on a GPU, float32 on a CPU.",
    )
    training_seconds: float = Field(
        default=60,
        gt=0,
        le=_MAX_TRAINING_SECONDS,
        description="Time that a training may take where the preset auto chooses a network.",
    )

    seed: int = runtime(0)
    epochs: int | None = runtime(None, ge=1, le=1_000_000_000)
    learned_loss: bool = runtime(default=False)
    holds_out: bool = runtime(default=False)
    shorter: int = runtime(1, ge=1, le=MAX_TRAINING_LENGTH)

    @property
    def initial_weights(self) -> str:
        """The initial weights of a new network: a name or a file."""
        if self.init == "scratch":
            return "random"
        return self.weights_file or "pretrained"
