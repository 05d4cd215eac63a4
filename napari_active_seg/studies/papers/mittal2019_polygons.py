"""Mittal et al. 2019: images and polygons on PASCAL-VOC, paid in clicks on simplified outlines."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from napari_active_seg.studies.datasets import Fit
from napari_active_seg.studies.papers.variants import Scale, each_way
from napari_active_seg.studies.segmentation.settings import (
    ArmSettings,
    DataSettings,
    StartSettings,
    StudySettings,
)
from napari_active_seg.studies.simulated_annotator import AnnotatorSettings

__all__ = ["voc_polygons"]

#: How images are chosen, by the paper's names, with the settings that their measures need.
_IMAGES: Mapping[str, tuple[str, dict[str, Any]]] = {
    "Random": ("random-images", {}),
    "Entropy": ("entropy-images", {}),
    "ENS-ent": ("ensemble-entropy-images", {"uncertainty_from": "ensemble", "ensemble_size": 3}),
    "LL": ("learned-loss-images", {"measure": "learned-loss"}),
}
_POLYGONS = {
    "Random-Image-Entropy-Polygon": "random-image-entropy-polygon",
    "Random-Image-Random-Polygon": "random-image-random-polygon",
    "Entropy-Polygon": "entropy-polygons",
}
_UNLABELLED = {"semi_supervised": "s4gan"}
#: Ways of learning: from labels alone, the paper's from images without labels too, and one that
#: goes past the paper.
_WAYS: Mapping[str, Mapping[str, Any]] = {
    "{}": {},
    "SSL-{}": _UNLABELLED,
    "Consistency-{}": {"semi_supervised": "consistency"},
}


def voc_polygons(root: Path, scale: Scale, seeds: tuple[int, ...], variant: str) -> StudySettings:
    """Return the study on VOC, or with ``variant`` the name of another data set, on that.

    The annotator reveals the simplified polygon and never the exact mask.
    """
    dataset = variant or "voc"
    shared: dict[str, Any] = {
        "name": f"{dataset}-polygons-{scale}",
        "title": "Images and polygons, paid in clicks",
        "seeds": seeds,
        "axis": "clicks",
        "score": "mean_jaccard",
        "levels": (),
        "rounds": 5,
        "shown": 4,
        "paper": "voc-polygons",
    }
    elsewhere = () if dataset == "voc" else (f"On {dataset} in place of PASCAL-VOC.",)
    if scale is Scale.FULL:
        return StudySettings.parse(
            data=DataSettings(dataset=dataset, root=root),
            start=StartSettings(clicks=5000),
            batch="5000clicks",
            annotator=AnnotatorSettings(tolerance=10),
            settings={
                "preset": "deeplabv2:plain", "uncertainty_from": "single", "init": "pretrained",
                "optimiser": "sgd", "schedule": "poly", "learning_rate": 2.5e-4, "batch": 10,
                "crop": 321, "steps": 10_000, "augmentation": "flips",
            },
            arms=_arms(),
            changed=(
                *elsewhere,
                "10,000 steps for all arms; the paper has 150 epochs for those without unlabelled "
                "images.",
                "No weights from COCO unless 'weights_file' names a file.",
                "Three trials for ensembles too, of three members; the paper has two trials and "
                "names no number of members.",
            ),
            **shared,
        )  # fmt: skip
    return StudySettings.parse(
        data=DataSettings(dataset=dataset, root=root, fit=Fit(shrink=4), most_train=300,
                          most_test=100),
        start=StartSettings(clicks=150),
        batch="150clicks",
        annotator=AnnotatorSettings(tolerance=2.5),
        size=32,
        settings={
            "preset": "unet:plain", "uncertainty_from": "single", "init": "pretrained",
            "steps": 600, "crop": 96, "augmentation": "flips", "training_precision": "bfloat16",
        },
        arms=_arms(),
        changed=(
            *elsewhere,
            "At most 300 training and 100 test images at a quarter of their size; polygons keep to "
            "2.5 pixels there, which is the paper's 10.",
            "150 clicks to start with and in each of five steps, in place of 5,000.",
            "A U-Net of 0.92 million parameters without dropout from random weights, 600 steps "
            "of 8 crops of 96 pixels in bfloat16, in place of DeepLab v2 from COCO.",
        ),
        **shared,
    )  # fmt: skip


def _arms() -> tuple[ArmSettings, ...]:
    """Return every method with each way of learning, and the discriminator's own score."""
    images = [
        ArmSettings(name=name, strategy=strategy, settings=settings)
        for name, (strategy, settings) in _IMAGES.items()
    ]
    by_discriminator = ArmSettings(
        name="SSL-D-score",
        strategy="discriminator-images",
        settings={**_UNLABELLED, "measure": "discriminator"},
    )
    polygons = [ArmSettings(name=name, strategy=strategy) for name, strategy in _POLYGONS.items()]
    return (*each_way(images, _WAYS), by_discriminator, *each_way(polygons, _WAYS))
