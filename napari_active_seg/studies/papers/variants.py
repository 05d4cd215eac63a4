"""Scales and variants of the studies of papers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any

from napari_active_seg.studies.segmentation.settings import ArmSettings

__all__ = ["Scale", "each_way"]


class Scale(StrEnum):
    """``full`` is the paper's setting as far as it is known; ``small`` fits two CPU cores."""

    FULL = "full"
    SMALL = "small"


def each_way(
    arms: Iterable[ArmSettings], ways: Mapping[str, Mapping[str, Any]]
) -> list[ArmSettings]:
    """Return each arm in each way: a name, ``{}`` being that of the arm, and settings."""
    return [
        arm.model_copy(
            update={"name": name.format(arm.name), "settings": {**arm.settings, **learned}}
        )
        for arm in arms
        for name, learned in ways.items()
    ]
