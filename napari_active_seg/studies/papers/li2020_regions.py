"""Li and Alstrom 2020: regions and full images, on GlaS and ISIC 2016, by four acquisitions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_active_seg.errors import ConfigError, did_you_mean
from napari_active_seg.studies.datasets import Fit
from napari_active_seg.studies.papers.variants import Scale
from napari_active_seg.studies.segmentation.settings import (
    ArmSettings,
    DataSettings,
    StartSettings,
    StudySettings,
)

__all__ = ["glas", "isic2016"]

#: Measures by the paper's names; variation ratio is 1 - max of the mean there.
_MEASURES = {"entropy": "entropy", "bald": "bald", "varratio": "variation-ratio"}
#: What goes past the paper, by how its squares are chosen: by uncertainty over classes, every
#: other one at random, the most uncertain ones (as the product does by default), by
#: chances that grow with uncertainty, with its cube (between the last two), or with uncertainty
#: over the seconds that a square should take, or all at random, as the baseline of the choice.
_OURS: Mapping[str, tuple[str, dict[str, Any]]] = {
    "ours": ("clasp-regions", {}),
    "ours-mixed": ("clasp-regions", {"control": 0.5}),
    "ours-top": ("uncertain-regions", {}),
    "ours-power": ("power-regions", {}),
    "ours-power-3": ("power-regions", {"inverse_temperature": 3.0}),
    "ours-per-minute": ("power-regions", {"cost": "learned", "beta": 1.0}),
    "ours-random": ("random-regions", {}),
}
_WITH_UNLABELLED = "-unlabelled"
_ALL_OURS = (*_OURS, *(f"{own}{_WITH_UNLABELLED}" for own in _OURS))
#: Whose costs are divided: regions by full images, ours by the regions of the paper, and what was
#: added to ours by what it was added to.
_PAIRS = (
    *((f"regions-{word}", f"images-{word}") for word in ("random", *_MEASURES)),
    *((own, f"regions-{word}") for own in _ALL_OURS for word in ("random", *_MEASURES)),
    *((f"{own}{_WITH_UNLABELLED}", own) for own in _OURS),
    *(
        (f"{own}{more}", f"{beside}{more}")
        for more in ("", _WITH_UNLABELLED)
        for own, beside in (
            ("ours-power", "ours-top"),
            ("ours-power-3", "ours-power"),
            ("ours-power-3", "ours-top"),
            ("ours-per-minute", "ours-power"),
        )
    ),
    *(
        (f"{own}{more}", f"ours-random{more}")
        for more in ("", _WITH_UNLABELLED)
        for own in _OURS
        if own != "ours-random"
    ),
)
#: What the network of the paper is, and how it is trained, as far as its text and code say.
_NETWORK: Mapping[str, Any] = {
    "preset": "dcan",
    "samples": 30,
    "init": "pretrained",
    "restarts": 4,
    "augmentation": "general",
}
#: A network for two cores. What is uncertain takes longer to learn than what is drawn at random.
_SMALL_NETWORK: Mapping[str, Any] = {
    "preset": "unet",
    "samples": 10,
    "init": "pretrained",
    "steps": 3000,
    "batch": 8,
    "crop": 96,
    "training_precision": "bfloat16",
}

#: A variant of small studies that begins with so few labels that each further one counts.
_FEW = "few-labels"


@dataclass(frozen=True, slots=True)
class _Amounts:
    """What a small study labels: images of the start, a step in regions or images, and how often.

    ``own`` regions are the start of the arms that begin with regions.
    """

    images: int
    of_regions: str
    of_images: str
    rounds: int
    own: int
    words: str


_GLAS = {
    "": _Amounts(
        10, "88000px", "9", 4, 40,
        "A step is 88,000 pixels in regions (4.2 % of the pool, overlaps counted once) or 9 "
        "images (10.6 %), four steps, in place of 20 regions or 5 images.",
    ),
    _FEW: _Amounts(
        3, "50000px", "2", 5, 20,
        "The start is 3 images (3.5 %) in place of 10, and a step as many pixels in regions as in "
        "images: 50,000, or 2 images (2.4 % of the pool), five steps.",
    ),
}  # fmt: skip
_ISIC = {
    "": _Amounts(
        12, "125000px", "20", 4, 60,
        "The start is 12 images; a step is 125,000 pixels in regions (2.5 % of the pool) or 20 "
        "images (6.7 %), four steps.",
    ),
    _FEW: _Amounts(
        4, "50000px", "3", 5, 20,
        "The start is 4 images (1.3 %); a step is as many pixels in regions as in images: 50,000, "
        "or 3 images (1 % of the pool), five steps.",
    ),
}  # fmt: skip


def glas(root: Path, scale: Scale, seeds: tuple[int, ...], variant: str = "") -> StudySettings:
    """Return the study on GlaS, whose data lie in ``root``."""
    full = scale is Scale.FULL
    amounts = _amounts(_GLAS, scale, variant)
    shared = {
        "name": _name("glas", variant, scale),
        "title": "GlaS: regions and full images",
        "seeds": seeds,
        "start": StartSettings(images=amounts.images, balanced=True),
        "score": "dice/gland",
        "levels": (0.75, 0.80, 0.85),
        "paper": "glas",
        "pairs": _PAIRS,
    }
    if full:
        return StudySettings.parse(
            data=DataSettings(dataset="glas", root=root, fit=Fit(pad=(528, 784))),
            size=150,
            rounds=16,
            validation=10,
            settings=dict(_NETWORK),
            arms=(
                *_arms(size=150, stride=30, of_regions="20", of_images="5", images_rounds=13),
                *_own_arms(size=150, start=40, batch="20", rounds=16),
            ),
            changed=(
                "Twenty regions a step for 16 steps: ten steps, as the public code has it, end at "
                "24.6 % of the pixels, below what the paper's table says was needed.",
                "No weights from ImageNet unless 'weights_file' names a file.",
            ),
            **shared,
        )
    return StudySettings.parse(
        data=DataSettings(dataset="glas", root=root, fit=Fit(shrink=4)),
        size=37,
        rounds=amounts.rounds,
        settings={**_SMALL_NETWORK, "augmentation": "general"},
        arms=_small_arms(amounts, size=37),
        changed=(
            "Images at a quarter of their size, regions of 37 pixels a side, stride 8.",
            "A U-Net of 0.92 million parameters from random weights, 3,000 steps of 8 crops of "
            "96 pixels in bfloat16, in place of DCAN with a ResNet-50 from ImageNet and up to "
            "1,300 epochs.",
            "10 passes in place of 30; one training a step in place of the best of four; no "
            "validation images.",
            amounts.words,
        ),
        **shared,
    )


def isic2016(root: Path, scale: Scale, seeds: tuple[int, ...], variant: str = "") -> StudySettings:
    """Return the study on ISIC 2016, whose data lie in ``root``."""
    full = scale is Scale.FULL
    amounts = _amounts(_ISIC, scale, variant)
    shared = {
        "name": _name("isic2016", variant, scale),
        "title": "ISIC 2016: regions and full images",
        "seeds": seeds,
        "score": "jaccard/lesion",
        "levels": (0.70, 0.77),
        "paper": "isic2016",
        "pairs": _PAIRS,
    }
    if full:
        return StudySettings.parse(
            data=DataSettings(
                dataset="isic2016", root=root, fit=Fit(size=(384, 512), bilinear=True)
            ),
            start=StartSettings(images=32),
            size=150,
            rounds=16,
            validation=96,
            settings={**_NETWORK, "augmentation": "dermoscopy"},
            arms=(
                *_arms(size=150, stride=30, of_regions="96", of_images="32", images_rounds=13),
                *_own_arms(size=150, start=96, batch="96", rounds=16),
            ),
            changed=(
                "96 regions a step: the paper does not say how many; its table moves in "
                "thousands of regions.",
                "No weights from ImageNet unless 'weights_file' names a file.",
            ),
            **shared,
        )
    return StudySettings.parse(
        data=DataSettings(
            dataset="isic2016", root=root, fit=Fit(shrink=2), most_train=300, most_test=170
        ),
        start=StartSettings(images=amounts.images),
        size=40,
        rounds=amounts.rounds,
        settings={**_SMALL_NETWORK, "augmentation": "dermoscopy"},
        arms=_small_arms(amounts, size=40),
        changed=(
            "300 training images drawn once, 170 test images, at half of the size "
            "that they have in the subset of 256 pixels; regions of 40 pixels a side, stride 8.",
            "A U-Net of 0.92 million parameters from random weights, 3,000 steps of 8 crops "
            "of 96 pixels in bfloat16, in place of DCAN with a ResNet-50 from ImageNet.",
            "10 passes in place of 30; one training a step in place of the best of four; no "
            "validation images.",
            amounts.words,
        ),
        **shared,
    )


def _name(*parts: str) -> str:
    return "-".join(filter(None, parts))


def _amounts(known: Mapping[str, _Amounts], scale: Scale, variant: str) -> _Amounts:
    if variant and scale is Scale.FULL:
        raise ConfigError(f"this study has no variants at full scale, got {variant!r}")
    if variant not in known:
        raise ConfigError(
            f"no variant {variant!r}: {did_you_mean(variant, list(filter(None, known)))}"
        )
    return known[variant]


def _small_arms(amounts: _Amounts, *, size: int) -> tuple[ArmSettings, ...]:
    """Return the arms of a small study; those that begin with regions have a step more."""
    step = amounts.of_regions
    return (
        *_arms(size=size, stride=8, of_regions=step, of_images=amounts.of_images),
        *_own_arms(size=size, start=amounts.own, batch=step, rounds=amounts.rounds + 1),
    )


def _arms(
    *, size: int, stride: int, of_regions: str, of_images: str, images_rounds: int | None = None
) -> tuple[ArmSettings, ...]:
    """Return random, and the paper's measures, over regions and over full images."""
    window = {"size": size, "stride": stride}
    found = [
        ArmSettings(
            name="regions-random",
            strategy="random-regions",
            parts={**window, "first": "random"},
            batch=of_regions,
        ),
        ArmSettings(
            name="images-random", strategy="random-images", batch=of_images, rounds=images_rounds
        ),
    ]
    for word, measure in _MEASURES.items():
        found.append(
            ArmSettings(
                name=f"regions-{word}",
                strategy="faithful-regions",
                parts={**window, "measure": measure},
                batch=of_regions,
            )
        )
        found.append(
            ArmSettings(
                name=f"images-{word}",
                strategy="whole-images",
                parts={"measure": measure},
                batch=of_images,
                rounds=images_rounds,
            )
        )
    return tuple(found)


def _own_arms(*, size: int, start: int, batch: str, rounds: int) -> tuple[ArmSettings, ...]:
    """Return what goes past the paper: from regions on, spread over classes, none over another.

    The top ones take the most uncertain squares. So that not all they learn from is hard, the
    mixed ones draw every other square at random, the power ones all, with chances that grow as the
    uncertainty or its cube does, and those per minute with chances that fall too as the expected
    seconds grow.
    The unlabelled ones learn from images without labels too, as soon as there are labels enough.
    """
    ways: Mapping[str, Mapping[str, Any]] = {
        "": {},
        _WITH_UNLABELLED: {"semi_supervised": "consistency"},
    }
    return tuple(
        ArmSettings(
            name=f"{name}{ending}",
            strategy=strategy,
            parts={"size": size, **parts},
            settings=settings,
            batch=batch,
            rounds=rounds,
            start=StartSettings(regions=start, size=size, first="coverage"),
        )
        for ending, settings in ways.items()
        for name, (strategy, parts) in _OURS.items()
    )
