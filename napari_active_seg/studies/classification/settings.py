"""Settings of a study of image classification."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator

from napari_active_seg.errors import ConfigError
from napari_active_seg.studies.settings import BaseArmSettings, BaseStudySettings, Settings
from napari_active_seg.uncertainty import check_measure

__all__ = ["ALL", "CORE_SET", "RANDOM", "ClassificationArm", "ClassificationStudy", "ImageCosts"]

#: The arm that asks for images at random.
RANDOM = "random"
#: The arm that has all labels at once, as the reference.
ALL = "all"
#: The arm that asks for images each the furthest, in features, from all that are labelled.
CORE_SET = "core-set"


class ImageCosts(Settings):
    """What labelling an image costs: a base cost of its class, and its outline's length.

    The outline is that of what is brighter than ``bright``.
    """

    base: tuple[float, ...]
    bright: int = Field(default=127, ge=0, le=255)


class ClassificationArm(BaseArmSettings):
    """By which measure images are asked for, and by how many passes; 0 is a plain network.

    What an image is worth is its uncertainty divided by its cost to the power of ``beta``; costs
    are known, or learned from the images that were labelled. A ``graph`` spreads labels over
    images, or over what the network makes of them, and asks for what saves most errors.

    ``members`` networks ask together; the first alone is tested. ``strong`` changes what is shown,
    ``unlabelled`` learns from images without labels too. ``network`` and ``weights``, where they
    are given, are in place of the study's.
    """

    measure: str
    passes: int = Field(default=20, ge=0)
    beta: float = Field(default=0.0, ge=0, le=1)
    costs: Literal["known", "learned"] = "known"
    learner: Literal["network", "graph", "graph-of-features"] = "network"
    members: int = Field(default=1, ge=1)
    strong: bool = False
    unlabelled: bool = False
    network: str = ""
    weights: str = ""

    @field_validator("measure")
    @classmethod
    def _is_known(cls, measure: str) -> str:
        if measure not in (RANDOM, ALL, CORE_SET):
            try:
                check_measure(measure)
            except ConfigError as error:
                raise ValueError(str(error)) from error
        return measure


class ClassificationStudy(BaseStudySettings):
    """Data, start, network and arms.

    ``pool`` and ``test`` are how many images are open and tested on, 0 for all. ``candidates`` are
    how many unlabelled images each step draws and chooses from, 0 for all. With a ``stream``
    each step shows that many images that no step before it showed. ``decays`` are the
    penalties of which the validation chooses one, with the first labels of each seed; test errors
    and acquisition use the same passes.

    ``keep`` are the classes that count, all where it is empty. ``start_by_class`` and
    ``test_by_class`` draw other numbers of each class; with ``splits``, seeds share that many
    draws of test images. ``epochs`` are passes over the labels in place of ``steps``. ``flips``
    shows images of the ``positive`` class flipped both ways too.

    Arms with ``unlabelled`` images train for ``unlabelled_steps``, each with ``unlabelled_a_step``
    of them. Areas under curves are reported up to ``budget`` images, 0 for none.
    """

    changeable: ClassVar[dict[str, Any]] = dict.fromkeys(
        ("rounds", "title", "levels", "changed", "paper", "root", "threads"), True
    )
    indent: ClassVar[int] = 1

    name: str
    title: str
    dataset: Literal["mnist", "isic-diagnosis", "cifar10", "cifar100"] = "mnist"
    root: Path | None = None
    pool: int = Field(default=0, ge=0)
    stream: int = Field(default=0, ge=0)
    candidates: int = Field(default=0, ge=0)
    keep: tuple[int, ...] = ()
    side: int = Field(default=64, ge=16)
    splits: int = Field(default=0, ge=0)
    start_by_class: tuple[int, ...] = ()
    test_by_class: tuple[int, ...] = ()
    positive: int | None = None
    flips: bool = False
    weights: str = "random"
    epochs: int = Field(default=0, ge=0)
    footnote: str = ""  #: what every figure carries
    costs: ImageCosts | None = None
    test: int = Field(default=0, ge=0)
    start_per_class: int = Field(default=2, ge=1)
    validation: int = Field(default=100, ge=0)
    batch: int = Field(default=10, ge=1)
    rounds: int = Field(default=100, ge=0)
    network: str = "bayesian-cnn"
    steps: int = Field(default=300, ge=1)
    images_a_step: int = Field(default=32, ge=1)
    learning_rate: float = Field(default=1e-3, gt=0)
    optimiser: Literal["adam", "adamw", "sgd"] = "adam"
    schedule: Literal["constant", "cosine", "one-cycle", "poly"] = "constant"
    weight_decay: float = Field(default=0.0, ge=0)
    precision: Literal["float32", "bfloat16"] = "float32"
    unlabelled_a_step: int = Field(default=320, ge=1)
    unlabelled_steps: int = Field(default=50_000, ge=1)
    budget: int = Field(default=0, ge=0)
    decays: tuple[float, ...] = (0.0,)
    seeds: tuple[int, ...] = (0,)
    arms: tuple[ClassificationArm, ...]
    levels: tuple[float, ...] = (0.10, 0.05)
    paper: str = ""
    changed: tuple[str, ...] = ()
    threads: int = Field(default=1, ge=1)

    def last_round_of(self, arm: ClassificationArm) -> int:
        """Return the number of the last round of an arm; the reference has round 0 alone."""
        return 0 if arm.measure == ALL else self.rounds
