"""Gal, Islam and Ghahramani 2017: benign and malignant lesions, BALD against uniform."""

from __future__ import annotations

from pathlib import Path

from napari_active_seg.errors import ConfigError, did_you_mean
from napari_active_seg.studies.classification import ClassificationArm, ClassificationStudy
from napari_active_seg.studies.classification.settings import ALL, RANDOM
from napari_active_seg.studies.papers.variants import Scale

__all__ = ["melanoma"]

_PASSES = 20
_VARIANTS = ("", "pretrained")
#: What both scales share: the paper's draw, its flips, its penalty (1 - p) l^2 / N with l^2 = 0.5.
_PROTOCOL = {
    "dataset": "isic-diagnosis",
    "arms": (
        ClassificationArm(name="bald", measure="bald", passes=_PASSES),
        ClassificationArm(name="random", measure=RANDOM, passes=_PASSES),
        ClassificationArm(name="varratio", measure="variation-ratio", passes=_PASSES),
        ClassificationArm(name="all", measure=ALL, passes=_PASSES),
    ),
    "start_by_class": (80, 20),
    "test_by_class": (100, 100),
    "splits": 2,
    "validation": 0,
    "batch": 100,
    "positive": 1,
    "flips": True,
    "decays": ((1 - 0.5) * 0.5,),
    "levels": (),
    "footnote": "research use, not a diagnosis",
}


def melanoma(
    root: Path, scale: Scale, seeds: tuple[int, ...], variant: str = ""
) -> ClassificationStudy:
    """Return the study on the lesions in ``root``.

    Seeds 0, 2, 4 have the first test split, 1, 3, 5 the second. The variant ``pretrained`` starts
    from ImageNet weights, as the paper does; without it this is another study.
    """
    if variant not in _VARIANTS:
        raise ConfigError(f"no variant {variant!r}: {did_you_mean(variant, _VARIANTS[1:])}")
    if variant and scale is Scale.SMALL:
        raise ConfigError("pretrained is for --scale full: the small network has no weights")
    words, title = (
        [],
        "Benign or malignant: which images to ask for (research use, not a diagnosis)",
    )
    if not variant:
        title = f"Another study than the paper's, without ImageNet weights. {title}"
        words.append("The network starts from random weights; the paper's from ImageNet's.")
    words.append(
        "Variation ratio is run beside BALD, to see whether its values tie, and all labels as the "
        "reference."
    )
    shared = {
        **_PROTOCOL,
        "name": f"melanoma-{variant or 'random-weights'}-{scale}",
        "title": title,
        "root": root,
        "seeds": seeds,
    }
    if scale is Scale.FULL:
        rate = 1e-5 if variant else 1e-4
        words.append(f"Adam with a rate of {rate:g}; the paper says 'a small learning rate'.")
        return ClassificationStudy.parse(
            **shared,
            network="vgg16",
            weights="pretrained" if variant else "random",
            side=224,
            rounds=5,
            epochs=100,
            images_a_step=8,
            learning_rate=rate,
            changed=tuple(words),
        )
    words.append(
        "Images of 64 pixels, a VGG16 with a quarter of the channels and batch norm, 20 epochs of "
        "batches of 32 in bfloat16, four steps."
    )
    return ClassificationStudy.parse(
        **shared,
        network="vgg16-small",
        side=64,
        rounds=4,
        epochs=20,
        images_a_step=32,
        precision="bfloat16",
        learning_rate=3e-4,
        changed=tuple(words),
    )
