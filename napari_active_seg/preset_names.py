"""The names of the presets, for help texts and menus that must not wait for torch.

A test holds them equal to ``learning.PRESETS``.
"""

from __future__ import annotations

__all__ = ["PRESET_NAMES"]

PRESET_NAMES = ("fast", "unet")
