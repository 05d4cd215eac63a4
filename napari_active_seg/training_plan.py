"""How a network is to learn, whatever it learns from."""

from __future__ import annotations

from dataclasses import dataclass

from napari_active_seg.errors import ConfigError

__all__ = ["TrainingPlan"]


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """What a Segmenter is told before it learns.

    ``epochs`` None stands for the network's own number of steps. ``learned_loss`` trains a module
    beside the network that foretells its loss.
    """

    seed: int = 0
    epochs: int | None = None
    learned_loss: bool = False

    def __post_init__(self) -> None:
        if self.epochs is not None and self.epochs < 1:
            raise ConfigError(f"epochs must be 1 or more, got {self.epochs}")
