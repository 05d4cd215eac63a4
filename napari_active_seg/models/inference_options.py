"""How a network is asked: which passes, at what temperature, and what else it is to say."""

from __future__ import annotations

from dataclasses import dataclass

from napari_active_seg.calibration import Calibration
from napari_active_seg.errors import ConfigError, did_you_mean
from napari_active_seg.uncertainty import EXTRAS

__all__ = ["METHODS", "PRECISIONS", "InferenceOptions"]

#: Ways to get several opinions of one network, and what they are.
METHODS = {
    "dropout": "passes with dropout on",
    "views": "one pass for each of up to 8 flips and turns, dropout off",
    "single": "one plain pass",
    "ensemble": "one plain pass of each of the last models",
}
PRECISIONS = ("float32", "bfloat16")
_VIEWS = 8


@dataclass(frozen=True, slots=True)
class InferenceOptions:
    """What a Segmenter is asked for.

    ``temperature`` divides the logits of each pass before anything is made of them, and
    ``calibration`` is applied to each pass after that. ``extras`` names what is wanted besides the
    moments. ``joint_stride`` above 0 asks for the probabilities of every pass, averaged over
    squares of so many pixels, or with ``joint_picks`` of the first pixel of each square alone.
    """

    method: str = "dropout"
    passes: int = 20
    seed: int = 0
    temperature: float = 1.0
    precision: str = "float32"
    extras: tuple[str, ...] = ()
    joint_stride: int = 0
    joint_picks: bool = False
    calibration: Calibration | None = None

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ConfigError(
                f"no way of sampling {self.method!r}: {did_you_mean(self.method, METHODS)}"
            )
        if self.precision not in PRECISIONS:
            raise ConfigError(f"precision is float32 or bfloat16, not {self.precision!r}")
        if self.passes < 1:
            raise ConfigError(f"samples must be 1 or more, got {self.passes}")
        if not 0.01 <= self.temperature <= 100:
            raise ConfigError(f"temperature must be 0.01 to 100, got {self.temperature}")
        for name in self.extras:
            if name not in EXTRAS:
                raise ConfigError(f"no output {name!r}: {did_you_mean(name, EXTRAS)}")

    @property
    def n_passes(self) -> int:
        """Number of passes of one network."""
        if self.method in ("single", "ensemble"):
            return 1
        return min(self.passes, _VIEWS) if self.method == "views" else self.passes

    @property
    def draws(self) -> bool:
        """Whether dropout is on; one pass alone is a plain one."""
        return self.method == "dropout" and self.passes > 1
