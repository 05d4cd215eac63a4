"""Mittal et al. 2019 and 2025: CIFAR, with strong changes and with images without labels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from napari_active_seg.errors import ConfigError, did_you_mean
from napari_active_seg.studies.classification import ClassificationArm, ClassificationStudy
from napari_active_seg.studies.classification.settings import ALL, CORE_SET, RANDOM
from napari_active_seg.studies.papers.variants import Scale

__all__ = ["cifar10", "cifar100"]

_MEMBERS = 5
#: Methods by the paper's names: the measure and how many networks ask.
_METHODS = {
    "random": (RANDOM, 1),
    "entropy": ("entropy", 1),
    "ens-varr": ("vote-variation-ratio", _MEMBERS),
    "core-set": (CORE_SET, 1),
    "ll": ("learned-loss", 1),
}


@dataclass(frozen=True, slots=True)
class _Budget:
    start: int
    step: int
    rounds: int

    @property
    def most(self) -> int:
        """Images that are labelled in the end."""
        return self.start + self.step * self.rounds


#: The paper's budgets: six steps of the large one, seven cycles of the small ones.
_BUDGETS = {
    "5000-2500": _Budget(5000, 2500, 6),
    "500-500": _Budget(500, 500, 7),
    "250-250": _Budget(250, 250, 7),
}
_MNIST = "mnist"
_SMALL_BUDGET = _Budget(50, 50, 3)


def cifar10(
    root: Path, scale: Scale, seeds: tuple[int, ...], variant: str = ""
) -> ClassificationStudy:
    """Return the study of ten classes; ``mnist`` is a variant of the small scale, on its files."""
    return _study(root, scale, seeds, variant or "250-250", classes=10)


def cifar100(
    root: Path, scale: Scale, seeds: tuple[int, ...], variant: str = ""
) -> ClassificationStudy:
    """Return the study of a hundred classes."""
    return _study(root, scale, seeds, variant or "500-500", classes=100)


def _study(
    root: Path, scale: Scale, seeds: tuple[int, ...], variant: str, *, classes: int
) -> ClassificationStudy:
    full, on_digits = scale is Scale.FULL, variant == _MNIST
    known = [*_BUDGETS, *([] if full or classes != 10 else [_MNIST])]
    if variant not in known:
        raise ConfigError(f"no variant {variant!r}: {did_you_mean(variant, known)}")
    budget = _SMALL_BUDGET if on_digits else _BUDGETS[variant]
    large = variant == "5000-2500"
    data = "MNIST in place of CIFAR-10" if on_digits else f"CIFAR-{classes}"
    shared = {
        "name": f"cifar{classes}-{variant}-{scale}",
        "title": f"{data}: strong changes, and images without labels",
        "dataset": _MNIST if on_digits else f"cifar{classes}",
        "root": root,
        "seeds": seeds,
        "start_per_class": budget.start // classes,
        "validation": 0,
        "batch": budget.step,
        "rounds": budget.rounds,
        "budget": budget.most,
        "levels": (),
        "optimiser": "sgd",
        "schedule": "cosine",
        "weight_decay": 5e-4,
        "learning_rate": 3e-2,
        "images_a_step": 64,
        "paper": "" if on_digits else f"cifar-{'large' if large else 'small'}",
    }
    changed = [
        "AutoAugment draws once for eight images of a batch, which then go through it together.",
        "Plain images of the consistency term are not moved; the paper does not say.",
    ]
    if full:
        return ClassificationStudy.parse(
            **shared,
            network="wrn-28-2",
            epochs=150,
            arms=_arms(fine_tuned=classes == 10),
            changed=tuple(changed),
        )
    changed += [
        "A WRN-10-1 of 0.08 million parameters in place of WRN-28-2; a pool of 5,000 images and "
        "2,000 test images; 300 steps of 64 images, with images without labels 300 steps of "
        "64 + 128.",
        "ResNet-18 with weights from ImageNet is left out.",
    ]
    if on_digits:
        changed.append(
            "Handwritten digits, 50 and then 50 a step: a check that all of it runs, not a result "
            "about CIFAR. A mirrored digit is none, so strong changes are too strong for them."
        )
    return ClassificationStudy.parse(
        **shared,
        network="wrn-10-1",
        pool=max(5000, 2 * budget.most),
        test=2000,
        steps=300,
        unlabelled_a_step=128,
        unlabelled_steps=300,
        arms=_arms(fine_tuned=False),
        changed=tuple(changed),
    )


def _arms(*, fine_tuned: bool) -> tuple[ClassificationArm, ...]:
    """Return each method plain, with strong changes, and with images without labels as well."""
    found = []
    for ending, how in (
        ("-plain", {}),
        ("", {"strong": True}),
        ("-ssl", {"strong": True, "unlabelled": True}),
    ):
        found += [
            ClassificationArm(
                name=f"{name}{ending}", measure=measure, passes=0, members=members, **how
            )
            for name, (measure, members) in _METHODS.items()
        ]
    if fine_tuned:
        found.append(
            ClassificationArm(
                name="random-fine-tuned",
                measure=RANDOM,
                passes=0,
                strong=True,
                network="resnet18",
                weights="pretrained",
            )
        )
    found.append(ClassificationArm(name="all", measure=ALL, passes=0, strong=True))
    return tuple(found)
