"""Gal, Islam and Ghahramani 2017: which images to ask for, by Monte-Carlo dropout, on MNIST."""

from __future__ import annotations

from pathlib import Path

from napari_active_seg.errors import ConfigError, did_you_mean
from napari_active_seg.experiments.classification import ClassificationArm, ClassificationStudy
from napari_active_seg.experiments.classification.settings import RANDOM
from napari_active_seg.experiments.papers.scales import Scale

__all__ = ["mnist"]

#: Functions by the paper's names; a variation ratio is 1 - max of the mean there.
_MEASURES = {
    "bald": "bald",
    "varratio": "variation-ratio",
    "maxent": "entropy",
    "meanstd": "mean-std",
}
_VARIANTS = ("", "deterministic")
_PASSES = 100


def mnist(
    root: Path, scale: Scale, seeds: tuple[int, ...], variant: str = ""
) -> ClassificationStudy:
    """Return the study on MNIST, whose four files lie in ``root``.

    The variant ``deterministic`` is the paper's second figure: BALD, variation ratio and entropy
    of the same network without dropout at test time, beside those with it.
    """
    if variant not in _VARIANTS:
        raise ConfigError(f"no variant {variant!r}: {did_you_mean(variant, _VARIANTS[1:])}")
    full = scale is Scale.FULL
    passes = _PASSES if full else 20
    words = ["bald", "varratio", "maxent"] if variant else list(_MEASURES)
    arms = [ClassificationArm(name=w, measure=_MEASURES[w], passes=passes) for w in words]
    if variant:
        arms += [
            ClassificationArm(name=f"{w}-deterministic", measure=_MEASURES[w], passes=0)
            for w in words
        ]
    else:
        arms.append(ClassificationArm(name="random", measure=RANDOM, passes=passes))
    shared = {
        "name": f"mnist-{variant or 'functions'}-{scale}",
        "title": "MNIST: which images to ask for" + (", with and without dropout" * bool(variant)),
        "root": root,
        "seeds": seeds,
        "arms": tuple(arms),
        "paper": "" if variant else "mnist",
        "decays": (0.0, 0.35, 3.5, 10.0),
    }
    changed = [
        "The penalty of weights is chosen once a seed, with the first labels, on the 100 images of "
        "the validation; the paper does not say how often.",
    ]
    if variant:
        changed.append(
            "Without dropout BALD is 0 for every image: its arm asks for images that a draw "
            "picks among equals."
        )
    if full:
        changed.append("100 passes, 1,000 steps of Adam with 64 images: the paper gives neither.")
        return ClassificationStudy.made(
            **shared, steps=1000, images_a_step=64, changed=tuple(changed)
        )
    changed.append(
        "A pool of 10,000 images drawn by the seed, the first 2,000 test images, 28 steps to 300 "
        "images, 20 passes, 600 steps of Adam with 32 images, convolutions in bfloat16."
    )
    return ClassificationStudy.made(
        **shared,
        pool=10_000,
        test=2_000,
        rounds=28,
        steps=600,
        precision="bfloat16",
        changed=tuple(changed),
    )
