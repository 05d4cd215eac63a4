"""The papers' studies as configurations."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from napari_active_seg.errors import ConfigError, did_you_mean
from napari_active_seg.studies.classification import ClassificationStudy
from napari_active_seg.studies.papers.cost_sensitive_mnist import mnist_stream
from napari_active_seg.studies.papers.gal2017_melanoma import melanoma
from napari_active_seg.studies.papers.gal2017_mnist import mnist
from napari_active_seg.studies.papers.gal2017_two_digits import mnist_two_digits
from napari_active_seg.studies.papers.li2020_regions import glas, isic2016
from napari_active_seg.studies.papers.mittal2019_cifar import cifar10, cifar100
from napari_active_seg.studies.papers.mittal2019_polygons import voc_polygons
from napari_active_seg.studies.papers.mittal2025_pools import a2d2_3k, bcss, pools
from napari_active_seg.studies.papers.variants import Scale
from napari_active_seg.studies.segmentation.settings import StudySettings

__all__ = ["IMAGE_STUDIES", "STUDIES", "Scale", "image_study", "paper_study"]

#: By name: what makes a study of the data's folder, the scale, the seeds and a variant.
STUDIES: dict[str, Callable[[Path, Scale, tuple[int, ...], str], StudySettings]] = {
    "glas": glas,
    "isic2016": isic2016,
    "voc-polygons": voc_polygons,
    "bcss": bcss,
    "pools": pools,
    "a2d2-3k": a2d2_3k,
}

#: The same of studies in which an image is a unit.
IMAGE_STUDIES: dict[str, Callable[[Path, Scale, tuple[int, ...], str], ClassificationStudy]] = {
    "mnist": mnist,
    "mnist-stream": mnist_stream,
    "mnist-two-digits": mnist_two_digits,
    "melanoma": melanoma,
    "cifar10": cifar10,
    "cifar100": cifar100,
}


def image_study(
    name: str, root: Path, scale: Scale, seeds: tuple[int, ...], variant: str = ""
) -> ClassificationStudy:
    """Return the study of whole images called ``name``."""
    return IMAGE_STUDIES[name](root, scale, seeds, variant)


def paper_study(
    name: str, root: Path, scale: Scale, seeds: tuple[int, ...], variant: str = ""
) -> StudySettings:
    """Return the study called ``name``, or raise ConfigError with the known names.

    What a ``variant`` may be stands with each study.
    """
    if name not in STUDIES:
        known = [*STUDIES, *IMAGE_STUDIES]
        raise ConfigError(f"no study {name!r}: {did_you_mean(name, known)}")
    return STUDIES[name](root, scale, seeds, variant)
