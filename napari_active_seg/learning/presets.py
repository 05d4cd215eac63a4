"""Networks with the way that each is trained."""

from __future__ import annotations

from dataclasses import dataclass, replace

from napari_active_seg.learning.networks.catalogue import network_family

__all__ = ["PRESETS", "Preset", "preset_named"]


@dataclass(frozen=True, slots=True)
class Preset:
    """How to train the network called ``name``.

    ``batch`` counts crops, or pixels where the network is pixelwise (``crop`` is then 0).
    """

    name: str
    title: str
    n_steps: int
    batch: int
    crop: int
    learning_rate: float


PRESETS: dict[str, Preset] = {
    p.name: p
    for p in (
        Preset("fast", "Filter bank: seconds on a laptop", 150, 4096, 0, 1e-2),
        Preset("unet", "Small U-Net: a minute or more on a CPU", 300, 8, 192, 2e-3),
        Preset("dcan", "DCAN: parts touching objects, for a GPU", 3000, 5, 480, 1e-3),
        Preset("deeplabv3plus", "DeepLab v3+: for a GPU", 3000, 8, 320, 5e-4),
        Preset("deeplabv2", "DeepLab v2: for a GPU", 3000, 8, 320, 2.5e-4),
    )
}
#: Networks that are not ours, and pairs by name.
_OTHER = Preset("", "Another network", 1000, 8, 256, 1e-3)


def preset_named(name: str) -> Preset:
    """Return how to train the network called ``name`` (``NAME`` or ``NAME:VARIANT``).

    Raises ConfigError with the known names.
    """
    return replace(PRESETS.get(network_family(name), _OTHER), name=name)
