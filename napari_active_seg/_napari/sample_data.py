"""napari's sample data: drawn pictures with their exact labels."""

from __future__ import annotations

from typing import Any

from napari_active_seg.images.samples import SAMPLE_SETS

LayerData = tuple[Any, dict[str, Any], str]

__all__ = ["sample_dermoscopy", "sample_histology"]


def sample_histology() -> list[LayerData]:
    """Return a drawn H&E picture of glands with its exact instances."""
    return _sample_layers("histology")


def sample_dermoscopy() -> list[LayerData]:
    """Return a drawn dermoscopy picture of a lesion with its exact mask."""
    return _sample_layers("dermoscopy")


def _sample_layers(name: str) -> list[LayerData]:
    picture = SAMPLE_SETS[name].draw(0)
    return [
        (picture.image, {"name": name, "rgb": True}, "image"),
        (picture.instances, {"name": f"{name} truth", "opacity": 0.4}, "labels"),
    ]
