"""The papers' studies as configurations."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from napari_active_seg.errors import ConfigError, did_you_mean
from napari_active_seg.experiments.papers.regions_and_images import glas, isic2016
from napari_active_seg.experiments.papers.scales import Scale
from napari_active_seg.experiments.study.settings import StudySettings

__all__ = ["STUDIES", "Scale", "paper_study"]

STUDIES: dict[str, Callable[[Path, Scale, tuple[int, ...]], StudySettings]] = {
    "glas": glas,
    "isic2016": isic2016,
}


def paper_study(name: str, root: Path, scale: Scale, seeds: tuple[int, ...]) -> StudySettings:
    """Return the study called ``name``, or raise ConfigError with the known names."""
    if name not in STUDIES:
        raise ConfigError(f"no study {name!r}: {did_you_mean(name, STUDIES)}")
    return STUDIES[name](root, scale, seeds)
