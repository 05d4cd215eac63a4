"""How a model predicts: how many samples, from which source, and what else it returns."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from napari_active_seg.calibration import METHODS, Calibration
from napari_active_seg.errors import ConfigError, did_you_mean
from napari_active_seg.models.options import OneOf, Options, runtime
from napari_active_seg.uncertainty import EXTRAS

__all__ = ["UNCERTAINTY_SOURCES", "InferenceOptions"]

#: What the samples of a prediction come from.
UNCERTAINTY_SOURCES = {
    "dropout": "MC dropout",
    "views": "test-time augmentation: up to 8 flips and turns, without dropout",
    "single": "one plain prediction",
    "ensemble": "ensemble of the last models, without dropout",
}
_VIEWS = 8
_SOURCE = OneOf("source of uncertainty", lambda: UNCERTAINTY_SOURCES)


def _check_extras(names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        if name not in EXTRAS:
            raise ConfigError(f"no output {name!r}: {did_you_mean(name, EXTRAS)}")
    return names


class InferenceOptions(Options):
    """How a model predicts.

    Every option is a keyword argument; an unknown name or a value out of range raises ConfigError.

    The last five are set by a run and not by a person. ``extras`` names outputs in addition to the
    moments. ``joint_stride`` above 0 returns the probabilities of every sample, averaged over
    squares of ``joint_stride`` pixels, or with ``joint_picks`` of the first pixel of each square
    alone. ``fitted_calibration`` is applied to each sample after the temperature.

    Examples
    --------
    >>> InferenceOptions(uncertainty_from="views", samples=20).n_samples
    8
    >>> InferenceOptions(samples=1).draws
    False
    """

    uncertainty_from: Annotated[str, _SOURCE] = Field(
        default="dropout",
        description="What the samples of a prediction come from: MC dropout, test-time "
        "augmentation (views), a single plain prediction, or an ensemble of the last models.",
    )
    samples: int = Field(
        default=20, ge=1, le=1000, description="MC samples; 1 is a plain prediction."
    )
    ensemble_size: int = Field(
        default=3, ge=2, le=50, description="Models of an ensemble, the current one included."
    )
    temperature: float = Field(
        default=1.0, ge=0.01, le=100, description="What the logits of each sample are divided by."
    )
    calibration: Annotated[str, OneOf("calibration", lambda: ("none", *METHODS))] = Field(
        default="none",
        description="Calibration of the probabilities, fitted on the labelled validation.",
    )
    precision: Literal["float32", "bfloat16"] = Field(
        default="float32", description="Arithmetic of predictions."
    )

    seed: int = runtime(0)
    extras: Annotated[tuple[str, ...], AfterValidator(_check_extras)] = runtime(())
    joint_stride: int = runtime(0)
    joint_picks: bool = runtime(default=False)
    fitted_calibration: Calibration | None = runtime(None)

    @property
    def n_samples(self) -> int:
        """Number of samples of one network."""
        if self.uncertainty_from in ("single", "ensemble"):
            return 1
        return min(self.samples, _VIEWS) if self.uncertainty_from == "views" else self.samples

    @property
    def draws(self) -> bool:
        """Whether dropout is on; a single sample is a plain prediction."""
        return self.uncertainty_from == "dropout" and self.samples > 1
