"""Settings of a study of segmentation: data, start, arms, annotator, seeds, and comparisons."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from napari_active_seg.acquisition import FIRST, Budget, get_strategy
from napari_active_seg.errors import ConfigError
from napari_active_seg.importers import MaskConvention
from napari_active_seg.project import (
    ProjectConfig,
    migrate_settings,
    migrate_strategy_parts,
    restore_old_names,
)
from napari_active_seg.studies.datasets import Fit
from napari_active_seg.studies.settings import BaseArmSettings, BaseStudySettings, Settings
from napari_active_seg.studies.simulated_annotator import AnnotatorSettings

__all__ = [
    "PLACES",
    "ArmSettings",
    "DataSettings",
    "StartSettings",
    "StudySettings",
    "parse_batch",
]


#: Where the data lie, which does not change the results.
PLACES = ("root", "images", "masks", "test_images", "test_masks")
#: Settings without effect on a network that trains on all labels: no image is unlabelled then, and
#: no region is proposed.
_WITHOUT_EFFECT = ("semi_supervised", "measure")


class DataSettings(Settings):
    """Which data set, where it lies, and how its images are prepared.

    ``dataset`` names a reader whose data lie in ``root``, or is ``folders``: then four folders and
    the classes are required. ``most_train`` and ``most_test`` limit the number of images; 0 keeps
    all. ``seed`` draws them, the same for each seed of the study.
    """

    dataset: str = "folders"
    root: Path | None = None
    images: Path | None = None
    masks: Path | None = None
    test_images: Path | None = None
    test_masks: Path | None = None
    classes: tuple[str, ...] = ()
    masks_as: str = "auto"  #: what the numbers in the masks of folders mean
    fit: Fit = Fit()
    most_train: int = Field(default=0, ge=0)
    most_test: int = Field(default=0, ge=0)
    copies: int = Field(default=0, ge=0)  #: of each training image that is drawn
    seed: int = 0

    @field_validator("masks_as")
    @classmethod
    def _is_a_convention(cls, masks_as: str) -> str:
        try:
            MaskConvention.parse(masks_as)
        except ConfigError as error:
            raise ValueError(str(error)) from error
        return masks_as


class StartSettings(Settings):
    """What is labelled before there is a model: images, or regions.

    Images are counted, or make up a per cent of the pool, or are labelled until a number of clicks;
    regions are counted, or are as many as a number of pixels pays for.

    ``balanced`` draws equally many images of each kind (such as benign and malignant).
    """

    images: int = Field(default=0, ge=0)
    regions: int = Field(default=0, ge=0)
    pixels: int = Field(default=0, ge=0)  #: in regions, overlaps counted once
    clicks: float = Field(default=0, ge=0)
    percent: float = Field(default=0, ge=0, le=100)  #: of the pool's images
    size: int = Field(default=0, ge=0)  #: side of the regions, 0 for the arm's
    first: str = "random"
    balanced: bool = False

    @model_validator(mode="after")
    def _one_of_them(self) -> StartSettings:
        given = (self.images, self.regions, self.pixels, self.clicks, self.percent)
        if sum(bool(amount) for amount in given) != 1:
            raise ValueError(
                "a start is a number of images, regions, pixels or clicks, or a per cent"
            )
        if self.first not in FIRST:
            raise ValueError(f"first is one of {', '.join(FIRST)}, got {self.first!r}")
        return self


def parse_batch(text: str) -> Budget | float:
    """Return what a round may cost: a budget, or the share of the pool that ``5%`` stands for."""
    if not text.strip().endswith("%"):
        return Budget.parse(text)
    try:
        percent = float(text.strip()[:-1])
    except ValueError:
        percent = 0.0
    if not 0 < percent <= 100:
        raise ConfigError(f"a per cent of the pool is above 0 and at most 100, got {text!r}")
    return percent / 100


class ArmSettings(BaseArmSettings):
    """A way to choose regions, run from the study's start.

    ``parts`` replace parts of the strategy; ``batch`` is the budget of a round, such as ``20``,
    ``5000clicks``, ``200000px`` or ``5%``. ``settings`` are settings of the project that differ
    from the study's, ``start`` another start. ``keeps`` n leaves every n-th image of the pool, in
    order of time.
    """

    changeable: ClassVar[frozenset[str]] = frozenset({"rounds"})

    strategy: str
    parts: dict[str, Any] = Field(default_factory=dict)
    batch: str = ""
    rounds: int | None = Field(default=None, ge=0)
    settings: dict[str, Any] = Field(default_factory=dict)
    start: StartSettings | None = None
    keeps: int = Field(default=1, ge=1)

    @field_validator("name")
    @classmethod
    def _is_a_folder(cls, name: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9][-+._@A-Za-z0-9]*", name):
            raise ValueError(
                f"an arm's name is made of letters, digits and - + . _ @, got {name!r}"
            )
        return name

    @model_validator(mode="after")
    def _strategy_is_known(self) -> ArmSettings:
        try:
            get_strategy(self.strategy).with_changes(**self.parts)
            if self.batch:
                parse_batch(self.batch)
        except ConfigError as error:
            raise ValueError(str(error)) from error
        return self


class StudySettings(BaseStudySettings):
    """Everything that decides the results of a study, and what is reported of them.

    ``validation`` images are labelled from the first on, to choose among restarts; they are counted
    apart from the labelled pixels. ``settings`` are settings of the projects that all arms share.
    ``axis`` is the x axis of curves, ``score`` the main score; ``levels`` are scores and
    ``shares`` shares of the full-label score whose cost is reported; ``budgets`` are the shares of
    pixels of AUC@B and score@B.
    ``threads`` are the threads of one arm: another number changes the last digits.
    """

    changeable: ClassVar[dict[str, Any]] = {
        **dict.fromkeys(("rounds", "title", "levels", "shares", "budgets", "changed"), True),
        **dict.fromkeys(("paper", "score", "axis", "keep_models", "maps", "pairs"), True),
        "data": set(PLACES),
    }

    name: str
    title: str = ""
    data: DataSettings
    seeds: tuple[int, ...] = (0,)
    start: StartSettings
    batch: str = "8"
    rounds: int = Field(default=3, ge=0)
    size: int = Field(default=128, ge=8)
    validation: int = Field(default=0, ge=0)
    settings: dict[str, Any] = Field(default_factory=dict)
    annotator: AnnotatorSettings = AnnotatorSettings()
    arms: tuple[ArmSettings, ...]
    reference: bool = True
    axis: Literal["pixels", "clicks", "minutes", "images"] = "pixels"
    score: str = "mean_dice"
    levels: tuple[float, ...] = (0.70, 0.75, 0.80, 0.85, 0.90)
    shares: tuple[float, ...] = (0.90, 0.95, 0.98)
    budgets: tuple[float, ...] = ()
    threads: int = Field(default=1, ge=1)
    keep_models: bool = False
    shown: int = Field(default=0, ge=0)  #: test images whose predictions are kept of every round
    pairs: tuple[tuple[str, str], ...] = ()  #: arms whose costs are divided, one by the other
    maps: bool = False  #: keep where the first model sees each image of the pool
    changed: tuple[str, ...] = ()  #: what differs from the paper that it follows
    paper: str = ""  #: the name of the paper's figures that are printed too

    @model_validator(mode="after")
    def _check_arms(self) -> StudySettings:
        try:
            parse_batch(self.batch)
            for arm in self.arms:
                ProjectConfig(name="", created_at="").with_changes(**self.settings_of(arm))
        except ConfigError as error:
            raise ValueError(str(error)) from error
        return self

    @classmethod
    def migrate(cls, raw: dict[str, Any]) -> dict[str, Any]:
        """Return settings that an older version saved under today's names."""
        found, shared = dict(raw), raw.get("settings", {})
        try:
            found["arms"] = [
                {
                    **arm,
                    "settings": migrate_settings(arm.get("settings", {}), shared),
                    "parts": migrate_strategy_parts(arm.get("parts", {})),
                }
                for arm in raw.get("arms", ())
            ]
            found["settings"] = migrate_settings(shared)
        except (AttributeError, TypeError):  # not a study: validation names what is wrong
            return raw
        return found

    def settings_of(self, arm: ArmSettings) -> dict[str, Any]:
        """Return the settings of the projects of an arm."""
        return {**self.settings, **arm.settings}

    def start_of(self, arm: ArmSettings) -> StartSettings:
        """Return what an arm begins with."""
        return arm.start or self.start

    def rounds_of(self, arm: ArmSettings) -> int:
        """Return how many rounds of an arm come after its start."""
        return self.rounds if arm.rounds is None else arm.rounds

    def learns_from_unlabelled(self, arm: ArmSettings) -> bool:
        """Return whether an arm's network sees images without labels too, which takes long."""
        return self.settings_of(arm).get("semi_supervised", "off") != "off"

    def network_settings_of(self, arm: ArmSettings) -> dict[str, Any]:
        """Return the settings of an arm's network, asked and trained with labels alone."""
        return {k: v for k, v in self.settings_of(arm).items() if k not in _WITHOUT_EFFECT}

    def network_of(self, arm: ArmSettings) -> str:
        """Return a name of an arm's network; arms of one name share a full-label reference."""
        return _short_hash(restore_old_names(self.network_settings_of(arm)))

    def start_name(self, arm: ArmSettings) -> str:
        """Return a name of what an arm shares with others of its seed: start and first model."""
        return _short_hash(
            [
                self.start_of(arm).model_dump(exclude_defaults=True),
                restore_old_names(self.settings_of(arm)),
                arm.keeps,
            ]
        )


def _short_hash(value: object) -> str:
    """Return a name for folders; settings go in under their first names.

    A study that an older program began is found again.
    """
    text = json.dumps(value, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:8]
