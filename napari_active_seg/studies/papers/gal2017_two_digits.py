"""Gal, Islam and Ghahramani 2017, figure 3: two digits, against labels that spread on a graph."""

from __future__ import annotations

from pathlib import Path

from napari_active_seg.studies.classification import ClassificationArm, ClassificationStudy
from napari_active_seg.studies.classification.settings import RANDOM
from napari_active_seg.studies.papers.variants import Scale

__all__ = ["mnist_two_digits"]


def mnist_two_digits(
    root: Path, scale: Scale, seeds: tuple[int, ...], variant: str = ""
) -> ClassificationStudy:
    """Return the study of 4 and 9, in ``root`` as MNIST's files; it has no variants."""
    del variant
    full = scale is Scale.FULL
    passes = 100 if full else 20
    words = {"bald": "bald", "varratio": "variation-ratio", "maxent": "entropy", "random": RANDOM}
    arms = [ClassificationArm(name=n, measure=m, passes=passes) for n, m in words.items()]
    arms += [
        ClassificationArm(name="mbr", measure=RANDOM, learner="graph", passes=0),
        ClassificationArm(name="mbr-cnn", measure=RANDOM, learner="graph-of-features", passes=0),
    ]
    changed = [
        "The paper does not say which two digits, nor how the graph is made: here 4 and 9; a "
        "kernel as wide as the median distance to the nearest other image, from each image to the "
        "five nearest.",
        "The graph holds 1,000 images drawn by the seed; test images are told by their likeness to "
        "them.",
    ]
    if not full:
        changed.append(
            "20 passes, 200 steps of Adam with 32 images in bfloat16, 2,000 test images at most."
        )
    return ClassificationStudy.parse(
        name=f"mnist-two-digits-{scale}",
        title="Two digits: a network with dropout against labels that spread on a graph",
        root=root,
        seeds=seeds,
        arms=tuple(arms),
        keep=(4, 9),
        pool=1000,
        test=0 if full else 2000,
        start_per_class=2,
        validation=20,
        batch=5,
        rounds=20 if full else 12,
        steps=1000 if full else 200,
        images_a_step=64 if full else 32,
        precision="float32" if full else "bfloat16",
        decays=(0.35,),
        levels=(0.10, 0.05),
        changed=tuple(changed),
    )
