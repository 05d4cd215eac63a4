"""The same methods, each learning in several ways."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from napari_active_seg.studies.segmentation.settings import ArmSettings

__all__ = ["each_way"]


def each_way(
    arms: Iterable[ArmSettings], ways: Mapping[str, Mapping[str, Any]]
) -> list[ArmSettings]:
    """Return every arm in every way: what it is called, ``{}`` being its name, and its settings."""
    return [
        arm.model_copy(
            update={"name": name.format(arm.name), "settings": {**arm.settings, **learned}}
        )
        for arm in arms
        for name, learned in ways.items()
    ]
