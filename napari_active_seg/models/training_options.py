"""How a network is to learn, whatever it learns from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from napari_active_seg.errors import ConfigError, did_you_mean

__all__ = [
    "AUGMENTATIONS",
    "BALANCES",
    "LOSS_NAMES",
    "MOST_LONGER",
    "NORMS",
    "OPTIMISERS",
    "PRECISIONS",
    "SCHEDULES",
    "STARTS",
    "UNLABELLED_USES",
    "TrainingOptions",
]

#: What the labelled pixels are scored by.
LOSS_NAMES = ("cross-entropy", "dice", "focal", "cross-entropy+dice")
#: What is done about rare classes: nothing, heavier pixels, or more of them in a batch.
BALANCES = ("none", "weights", "sampling")
#: How pictures are changed while a network learns from them.
AUGMENTATIONS = ("none", "flips", "general", "histology", "dermoscopy")
#: What steps along the gradient.
OPTIMISERS = ("adamw", "adam", "sgd")
#: How the learning rate runs over the training.
SCHEDULES = ("one-cycle", "cosine", "poly", "constant")
#: What is made of images without labels.
UNLABELLED_USES = ("off", "consistency", "s4gan")
#: Whether batch norm learns, or keeps what it knows.
NORMS = ("batch", "frozen")
#: What a training begins with: the model in use, or weights from before the project.
STARTS = ("warm", "fresh")
#: Digits of the arithmetic; auto is half precision on a GPU, full on a processor.
PRECISIONS = ("auto", "float32", "bfloat16", "float16")
#: How many times as long a person may let a network train: a minute becomes a night.
MOST_LONGER = 1000

_MOST_LEARNING_RATE = 1e6
#: The smallest and largest value of what is counted.
_LIMITS = {
    "epochs": (1, 1_000_000_000),
    "steps": (1, 100_000_000),
    "batch": (1, 65_536),
    "crop": (16, 16_384),
    "longer": (1, MOST_LONGER),
    "shorter": (1, MOST_LONGER),
    "patience": (0, 1_000_000),
}


@dataclass(frozen=True, slots=True)
class TrainingOptions:
    """What a Segmenter is told before it learns; None stands for the network's own.

    ``steps`` is the number of optimiser steps, and ``epochs`` decides it in passes over the labels
    instead; ``batch`` and ``crop`` are how many squares a step looks at, and their side.
    ``patience`` is how many looks at the held-out labels in a row may bring nothing before training
    stops; 0 never stops early, and ``holds_out`` keeps labels aside even then. ``average`` is the
    decay of the weights' running mean that is kept in the end; 0 keeps the last weights.
    ``longer`` multiplies the number of steps, and ``shorter`` divides it: a model that goes on from
    another one needs fewer.
    ``learned_loss`` trains a module beside the network that foretells its loss. ``confidence`` is
    how sure a network must be before
    it learns from itself.
    """

    seed: int = 0
    epochs: int | None = None
    steps: int | None = None
    batch: int | None = None
    crop: int | None = None
    learned_loss: bool = False
    loss: str = "cross-entropy"
    balance: str = "none"
    augmentation: str = "general"
    optimiser: str | None = None
    schedule: str | None = None
    learning_rate: float | None = None
    average: float | None = None
    patience: int | None = None
    holds_out: bool = False
    unlabelled: str = "off"
    confidence: float = 0.9
    norms: str = "batch"
    precision: str = "auto"
    longer: int = 1
    shorter: int = 1

    def __post_init__(self) -> None:
        for name, (least, most) in _LIMITS.items():
            value = getattr(self, name)
            if value is not None and not least <= value <= most:
                raise ConfigError(f"{name} must lie between {least:,} and {most:,}, got {value}")
        for what, value, known in (
            ("loss", self.loss, LOSS_NAMES),
            ("balance", self.balance, BALANCES),
            ("augmentation", self.augmentation, AUGMENTATIONS),
            ("optimiser", self.optimiser, OPTIMISERS),
            ("schedule", self.schedule, SCHEDULES),
            ("use of unlabelled images", self.unlabelled, UNLABELLED_USES),
            ("norms", self.norms, NORMS),
            ("precision", self.precision, PRECISIONS),
        ):
            if value is not None:
                _check_known(what, value, known)
        if self.average is not None and not 0 <= self.average < 1:
            raise ConfigError(f"average must be 0 or more and below 1, got {self.average}")
        if self.learning_rate is not None and not 0 < self.learning_rate <= _MOST_LEARNING_RATE:
            raise ConfigError(
                f"the learning rate must be above 0 and at most {_MOST_LEARNING_RATE:g}, "
                f"got {self.learning_rate}"
            )
        if not 0 < self.confidence < 1:
            raise ConfigError(f"confidence must lie between 0 and 1, got {self.confidence}")


def _check_known(what: str, value: str, known: Iterable[str]) -> None:
    if value not in known:
        raise ConfigError(f"no {what} {value!r}: {did_you_mean(value, known)}")
