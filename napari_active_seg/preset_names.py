"""The names of the networks, for help texts and menus that must not wait for torch.

A test holds them equal to ``learning.PRESETS``.
"""

from __future__ import annotations

from napari_active_seg.registered_networks import registered_names

__all__ = ["PRESET_HELP", "PRESET_NAMES", "preset_names"]

PRESET_NAMES = ("fast", "unet", "dcan", "deeplabv3plus", "deeplabv2")
PRESET_HELP = (
    f"Network: {', '.join(PRESET_NAMES)}, a variant such as dcan:101, "
    "smp:DECODER/ENCODER, or one of your own."
)


def preset_names() -> tuple[str, ...]:
    """Return the names for a menu: ours, and those that were registered."""
    return (*PRESET_NAMES, *registered_names())
