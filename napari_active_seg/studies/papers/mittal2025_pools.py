"""Mittal et al. 2025: diverse and redundant pools, low and high budgets, with and without SSL."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from napari_active_seg.errors import ConfigError
from napari_active_seg.studies.datasets import Fit
from napari_active_seg.studies.papers.variants import Scale, each_way
from napari_active_seg.studies.segmentation.settings import (
    ArmSettings,
    DataSettings,
    StartSettings,
    StudySettings,
)

__all__ = ["a2d2_3k", "bcss", "pools"]

#: Pools by name: those of the paper on A2D2, its two diverse data sets, and one video set that is
#: small enough for two cores.
_POOLS = {
    **{f"{name}": f"a2d2-pool-{name}" for name in ("0f", "5f", "11f", "21f", "aug")},
    "cityscapes": "cityscapes",
    "voc": "voc",
    "camvid": "camvid",
}
#: Start and step in per cent of the images, and how many steps there are.
_BUDGETS = {"10-10": (10, 4), "5-5": (5, 4), "2-2": (2, 4), "1-1": (1, 4)}
_SINGLE: Mapping[str, str] = {
    "Random": "random-images",
    "Entropy": "max-entropy-images",
    "EqualAL": "equal-al-images",
    "Core-set": "core-set-images",
}
_DROPOUT: Mapping[str, str] = {
    "BALD": "bald-images",
    "Core-set-MCD": "core-set-images",
}
#: Ways of learning: from labels alone, the paper's from images without labels too, and one that
#: goes past the paper.
_WAYS: Mapping[str, Mapping[str, Any]] = {
    "{}": {},
    "{}-SSL": {"semi_supervised": "s4gan"},
    "{}-Consistency": {"semi_supervised": "consistency"},
}


def pools(root: Path, scale: Scale, seeds: tuple[int, ...], variant: str) -> StudySettings:
    """Return the study of a pool and a budget: ``POOL/BUDGET``, such as ``21f/10-10``.

    POOL may also be ``DATASET+copies``: every image that is drawn comes with five copies of itself,
    which makes a redundant pool of any data set.
    """
    pool, _, budget = (variant or ("21f/10-10" if scale is Scale.FULL else "camvid/5-5")).partition(
        "/"
    )
    dataset, _, copies = pool.partition("+")
    if budget not in _BUDGETS or copies not in ("", "copies"):
        raise ConfigError(
            f"a variant is POOL/BUDGET with a pool of {', '.join(_POOLS)} or any data set, with or "
            f"without +copies, and a budget of {', '.join(_BUDGETS)}; got {variant!r}"
        )
    full = scale is Scale.FULL
    data = DataSettings(
        dataset=_POOLS.get(dataset, dataset),
        root=root,
        copies=5 if copies else 0,
        fit=_fit(dataset, scale),
        most_train=0 if full else 400,
        most_test=0 if full else 150,
    )
    name = f"pool-{pool.replace('+', '-with-')}-{budget}-{scale}"
    return _study(name, data, scale, seeds, budget=budget, paper="pools")


def bcss(root: Path, scale: Scale, seeds: tuple[int, ...], variant: str) -> StudySettings:
    """Return the study on BCSS with 1 % to start with and in each step, or another budget."""
    budget = variant or "1-1"
    if budget not in _BUDGETS:
        raise ConfigError(f"a budget is one of {', '.join(_BUDGETS)}, got {variant!r}")
    full = scale is Scale.FULL
    data = DataSettings(
        dataset="bcss", root=root, fit=Fit() if full else Fit(shrink=4),
        most_train=0 if full else 400, most_test=0 if full else 100,
    )  # fmt: skip
    return _study(f"bcss-{budget}-{scale}", data, scale, seeds, budget=budget, paper="bcss")


def a2d2_3k(root: Path, scale: Scale, seeds: tuple[int, ...], variant: str) -> StudySettings:
    """Return the task of choosing 3,000 of 40,000 frames in three cycles.

    In addition to the methods, two arms thin out in time: evenly, and every fifth and then by
    entropy. ``variant`` names another data set of frames.
    """
    dataset = variant or ("a2d2" if scale is Scale.FULL else "camvid")
    study = _study(
        f"{dataset}-3k-{scale}",
        DataSettings(dataset=dataset, root=root, fit=_fit(dataset, scale)),
        scale,
        seeds,
        budget="2-2",
        paper="a2d2-3k",
    )
    in_time = [
        ArmSettings(name="Uniform", strategy="even-images"),
        ArmSettings(name="Uniform@5+Entropy", strategy="max-entropy-images", keeps=5),
    ]
    return StudySettings.parse(
        **{
            **study.model_dump(),
            "title": "Three thousand of forty thousand frames",
            "arms": [arm for arm in study.arms if "EqualAL" not in arm.name]
            + each_way(in_time, _WAYS),
            "start": StartSettings(percent=2.5),
            "batch": "2.5%",
            "rounds": 2,
            "budgets": (0.075,),
        }
    )


def _study(
    name: str,
    data: DataSettings,
    scale: Scale,
    seeds: tuple[int, ...],
    *,
    budget: str,
    paper: str,
) -> StudySettings:
    percent, rounds = _BUDGETS[budget]
    full = scale is Scale.FULL
    plain = "deeplabv3plus:wideresnet38/plain" if full else "unet:plain"
    dropout = "deeplabv3plus:wideresnet38" if full else "unet"
    settings: dict[str, Any] = {
        "preset": plain, "uncertainty_from": "single", "init": "pretrained",
        "augmentation": "flips",
    }  # fmt: skip
    if full:
        settings |= {
            "optimiser": "sgd", "schedule": "poly", "learning_rate": 1e-3, "batch": 8,
            "crop": 321 if "voc" in data.dataset else 256, "steps": 20_000,
        }  # fmt: skip
        changed: tuple[str, ...] = (
            "20,000 steps a cycle; the paper has 100 epochs of what is labelled then.",
            "No weights from ImageNet unless 'weights_file' names a file: none is published in the "
            "layout of Wide ResNet-38.",
        )
    else:
        settings |= {"steps": 600, "crop": 96, "training_precision": "bfloat16"}
        changed = (
            "A U-Net of 0.92 million parameters from random weights, 600 steps a cycle of "
            "8 crops of 96 pixels in bfloat16, in place of DeepLab v3+ with Wide ResNet-38; with "
            "dropout where the paper has it.",
            f"Images at 1/{data.fit.shrink:g} of their size{_limits_of(data)}.",
        )
    with_dropout = {"preset": dropout, "uncertainty_from": "dropout", "samples": 20 if full else 10}
    methods = [
        ArmSettings(name=method, strategy=strategy, settings=own)
        for strategies, own in ((_SINGLE, {}), (_DROPOUT, with_dropout))
        for method, strategy in strategies.items()
    ]
    return StudySettings.parse(
        name=name,
        title="Redundancy, budget and images without labels",
        data=data,
        seeds=seeds,
        start=StartSettings(percent=percent),
        batch=f"{percent}%",
        rounds=rounds,
        size=128 if full else 32,
        settings=settings,
        arms=each_way(methods, _WAYS),
        score="mean_jaccard",
        levels=(),
        budgets=(percent * (rounds + 1) / 100, percent * 3 / 100),
        maps=True,
        changed=changed,
        paper=paper,
    )


def _limits_of(data: DataSettings) -> str:
    if not data.most_train:
        return ""
    return f", at most {data.most_train} to train and {data.most_test} to measure on"


def _fit(dataset: str, scale: Scale) -> Fit:
    """Return the size that images are brought to: 256 x 512 for streets, or a part of their own."""
    if scale is Scale.SMALL:
        return Fit(shrink=2 if dataset.startswith("isic") else 4)
    streets = dataset in ("cityscapes", "a2d2") or (dataset in _POOLS and dataset != "voc")
    return Fit(size=(256, 512), bilinear=True) if streets else Fit()
