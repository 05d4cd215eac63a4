"""The names of the networks, for help texts and menus that must not wait for torch.

A test holds them equal to ``learning.PRESETS``.
"""

from __future__ import annotations

from collections.abc import Sequence

from napari_active_seg.errors import ConfigError, did_you_mean
from napari_active_seg.models.registry import list_registered_networks

__all__ = [
    "AUTO",
    "PRESET_HELP",
    "PRESET_NAMES",
    "check_preset_known",
    "family_among",
    "preset_names",
]

PRESET_NAMES = ("fast", "unet", "dcan", "deeplabv3plus", "deeplabv2")
#: Stands for the best network that is trained within the project's training_seconds.
AUTO = "auto"
PRESET_HELP = (
    f"Network: {AUTO} (what fits the time), {', '.join(PRESET_NAMES)}, a variant such as dcan:101, "
    "smp:DECODER/ENCODER, or one of your own."
)


def preset_names() -> tuple[str, ...]:
    """Return the names of networks: ours, and those that were registered."""
    return (*PRESET_NAMES, *list_registered_networks())


def check_preset_known(name: str) -> None:
    """Raise ConfigError if the part before the colon is not a network."""
    ours = (AUTO, "smp", *PRESET_NAMES)
    if name.partition(":")[0] not in ours:  # to look for those of others takes milliseconds
        family_among(name, (*ours, *list_registered_networks()))


def family_among(name: str, known: Sequence[str]) -> str:
    """Return the part before the colon; ConfigError if it is none of ``known``."""
    family = name.partition(":")[0]
    if family not in known:
        raise ConfigError(f"no network {name!r}: {did_you_mean(family, known)}")
    return family
