"""Named pairs of a network and the way it is trained."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from napari_active_seg.errors import ConfigError, did_you_mean
from napari_active_seg.learning.networks import FilterBankMLP, Network, SmallUNet

__all__ = ["PRESETS", "Preset", "preset_named"]


@dataclass(frozen=True, slots=True)
class Preset:
    """How to build and train a network.

    ``batch`` counts crops, or pixels where the network is pixelwise (``crop`` is then 0).
    """

    name: str
    title: str
    build: Callable[[int], Network]
    n_steps: int
    batch: int
    crop: int
    learning_rate: float


PRESETS: dict[str, Preset] = {
    p.name: p
    for p in (
        Preset(
            "fast",
            "Filter bank: seconds on a laptop",
            lambda n_classes: FilterBankMLP(n_classes),
            n_steps=150,
            batch=4096,
            crop=0,
            learning_rate=1e-2,
        ),
        Preset(
            "unet",
            "Small U-Net: a minute or more on a CPU",
            lambda n_classes: SmallUNet(n_classes),
            n_steps=300,
            batch=8,
            crop=192,
            learning_rate=2e-3,
        ),
    )
}


def preset_named(name: str) -> Preset:
    """Return the preset called ``name``, or raise ConfigError with the known names."""
    if name not in PRESETS:
        raise ConfigError(f"no preset {name!r}: {did_you_mean(name, PRESETS)}")
    return PRESETS[name]
