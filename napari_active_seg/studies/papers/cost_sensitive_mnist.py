"""Annotation cost-sensitive deep active learning: images out of a stream, some dearer."""

from __future__ import annotations

from pathlib import Path

from napari_active_seg.errors import ConfigError, did_you_mean
from napari_active_seg.studies.classification import ClassificationArm, ClassificationStudy
from napari_active_seg.studies.classification.settings import RANDOM, ImageCosts
from napari_active_seg.studies.papers.variants import Scale

__all__ = ["mnist_stream"]

_MEASURES = {"bald": "bald", "entropy": "entropy", "std": "mean-std"}
_VARIANTS = ("", "cost")
#: Dearer for digits that resemble others, which are asked for most; an outline is 50 to 80 long.
_BASE = (20.0, 10.0, 40.0, 60.0, 50.0, 60.0, 30.0, 50.0, 70.0, 70.0)
_BETAS = (0.0, 0.1, 0.2, 0.3, 0.5)
_LEARNED = 0.3


def mnist_stream(
    root: Path, scale: Scale, seeds: tuple[int, ...], variant: str = ""
) -> ClassificationStudy:
    """Return the study on a stream of MNIST, whose four files lie in ``root``.

    The variant ``cost`` weighs information against what labelling costs.
    """
    if variant not in _VARIANTS:
        raise ConfigError(f"no variant {variant!r}: {did_you_mean(variant, _VARIANTS[1:])}")
    full = scale is Scale.FULL
    passes = 100 if full else 20
    changed = [
        "The penalty of weights is chosen once a seed, with the first labels, on 100 images of a "
        "validation; the paper does not tell of one."
    ]
    arms = [ClassificationArm(name="random", measure=RANDOM, passes=passes)]
    if variant:
        shared = {"measure": _MEASURES["std"], "passes": passes}
        arms += [ClassificationArm(name=f"std-{beta:g}", beta=beta, **shared) for beta in _BETAS]
        arms.append(
            ClassificationArm(
                name=f"std-learned-{_LEARNED:g}", beta=_LEARNED, costs="learned", **shared
            )
        )
        base = ", ".join(f"{digit}: {cost:g}" for digit, cost in enumerate(_BASE))
        changed.append(
            f"The paper does not print what classes cost; here: {base}, and the length of the "
            "digit's outline. Alpha is 1. The network that learns costs is the one of regions."
        )
    else:
        arms += [
            ClassificationArm(name=word, measure=measure, passes=passes)
            for word, measure in _MEASURES.items()
        ]
    rounds = (98 if variant else 48) if full else 28
    stream = 1000 if full else 500
    if full and variant:
        changed.append(
            "98 steps of 1,000 images are more than MNIST has: the stream begins again after all "
            "were shown, with those that are not labelled."
        )
    if not full:
        changed.append(
            "28 steps of 500 images, every fifth test image, 20 passes, 600 steps of Adam with 32 "
            "images, convolutions in bfloat16."
        )
    return ClassificationStudy.parse(
        name=f"mnist-stream-{variant or 'functions'}-{scale}",
        title="MNIST as a stream: which images to ask for" + ", and what they cost" * bool(variant),
        root=root,
        seeds=seeds,
        arms=tuple(arms),
        stream=stream,
        rounds=rounds,
        test=0 if full else 2_000,
        costs=ImageCosts(base=_BASE) if variant else None,
        decays=(0.0, 0.35, 3.5, 10.0),
        levels=(0.10,),
        steps=1000 if full else 600,
        images_a_step=64 if full else 32,
        precision="float32" if full else "bfloat16",
        paper="" if variant else "mnist-stream",
        changed=tuple(changed),
    )
