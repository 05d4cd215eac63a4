"""Gal, Islam and Ghahramani 2017: which images to ask for, by Monte-Carlo dropout, on MNIST."""

from __future__ import annotations

from pathlib import Path

from napari_active_seg.errors import ConfigError, did_you_mean
from napari_active_seg.studies.classification import ClassificationArm, ClassificationStudy
from napari_active_seg.studies.classification.settings import RANDOM
from napari_active_seg.studies.papers.variants import Scale

__all__ = ["mnist"]

#: Functions by the paper's names; a variation ratio is 1 - max of the mean there.
_MEASURES = {
    "bald": "bald",
    "varratio": "variation-ratio",
    "maxent": "entropy",
    "meanstd": "mean-std",
}
_DETERMINISTIC, _THOUSAND = "deterministic", "thousand"
_VARIANTS = ("", _DETERMINISTIC, _THOUSAND)
_TITLES = {"": "", _DETERMINISTIC: ", with and without dropout", _THOUSAND: ", up to 1,000"}
_PUBLISHED = {"": "mnist", _DETERMINISTIC: "", _THOUSAND: "mnist-thousand"}
_PASSES = 100


def mnist(
    root: Path, scale: Scale, seeds: tuple[int, ...], variant: str = ""
) -> ClassificationStudy:
    """Return the study on MNIST, whose four files lie in ``root``.

    The variant ``deterministic`` is the paper's second figure: BALD, variation ratio and entropy
    of the same network without dropout at test time, in addition to those with it. ``thousand`` is
    its second table: the error with 1,000 labels and 5,000 images for validation.
    """
    if variant not in _VARIANTS:
        raise ConfigError(f"no variant {variant!r}: {did_you_mean(variant, _VARIANTS[1:])}")
    full = scale is Scale.FULL
    thousand = variant == _THOUSAND
    shared = {
        "name": f"mnist-{variant or 'functions'}-{scale}",
        "title": "MNIST: which images to ask for" + _TITLES[variant],
        "root": root,
        "seeds": seeds,
        "arms": _arms(variant, passes=_PASSES if full else 20),
        "paper": _PUBLISHED[variant],
        "validation": 5000 if thousand else 100,
        "rounds": 98 if thousand else 100,
        "levels": (0.05, 0.02) if thousand else (0.10, 0.05),
        "decays": (0.0, 0.35, 3.5, 10.0),
    }
    changed = [
        "The penalty of weights is chosen once a seed, with the first labels, on the images of "
        "the validation; the paper does not say how often.",
    ]
    if variant == _DETERMINISTIC:
        changed.append(
            "Without dropout BALD is 0 for every image: its arm asks for images that a draw "
            "picks among equals."
        )
    if full:
        changed.append("100 passes, 1,000 steps of Adam with 64 images: the paper gives neither.")
        return ClassificationStudy.parse(
            **shared, steps=1000, images_a_step=64, changed=tuple(changed)
        )
    small = {"rounds": 49, "batch": 20} if thousand else {"rounds": 28}
    asked = "49 steps of 20 to 1,000 images" if thousand else "28 steps to 300 images"
    changed.append(
        "A pool of 10,000 images drawn by the seed, of which each step draws 2,000 to choose from; "
        f"every fifth test image, {asked}, 20 passes, 600 steps of Adam with 32 images, "
        "convolutions in bfloat16."
    )
    return ClassificationStudy.parse(
        **(shared | small),
        pool=10_000,
        candidates=2_000,
        test=2_000,
        steps=600,
        precision="bfloat16",
        changed=tuple(changed),
    )


def _arms(variant: str, *, passes: int) -> tuple[ClassificationArm, ...]:
    """Return a function an arm, and random or the same functions without dropout beside."""
    words = [word for word in _MEASURES if not variant or word != "meanstd"]
    arms = [ClassificationArm(name=w, measure=_MEASURES[w], passes=passes) for w in words]
    if variant != _DETERMINISTIC:
        return (*arms, ClassificationArm(name="random", measure=RANDOM, passes=passes))
    plain = (
        ClassificationArm(name=f"{w}-deterministic", measure=_MEASURES[w], passes=0) for w in words
    )
    return (*arms, *plain)
