"""The settings of a project that a person may edit: ``project.json``."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from napari_active_seg._util.atomic_write import atomic_write
from napari_active_seg.acquisition import get_strategy
from napari_active_seg.calibration import METHODS as CALIBRATIONS
from napari_active_seg.errors import ConfigError, ProjectError, did_you_mean
from napari_active_seg.models.inference_options import METHODS
from napari_active_seg.models.preset_names import check_preset_known
from napari_active_seg.models.training_options import MOST_LONGER, STARTS, TrainingOptions
from napari_active_seg.uncertainty import check_measure

__all__ = [
    "EDITABLE",
    "FORMAT_VERSION",
    "MOST_IMAGE_CLASSES",
    "STRATEGY_KEYS",
    "TRAINING_KEYS",
    "ProjectConfig",
]

FORMAT_VERSION = 2
#: Each class of images has a key of its own, from 1.
MOST_IMAGE_CLASSES = 9
#: A week: beyond it a limit is none.
MOST_TRAINING_SECONDS = 7 * 24 * 3600.0
#: What a person may set; the rest is decided when the project is made.
EDITABLE = (
    "alpha",
    "annotator",
    "augmentation",
    "average",
    "balance",
    "batch",
    "beta",
    "blind",
    "cache_limit",
    "calibration",
    "confidence",
    "control",
    "cost",
    "crop",
    "diversity",
    "image_classes",
    "key_file",
    "learning_rate",
    "longer",
    "loss",
    "measure",
    "members",
    "name",
    "norms",
    "optimiser",
    "patience",
    "per_image",
    "per_image_share",
    "per_patient",
    "precision",
    "preset",
    "region_size",
    "regions_per_round",
    "restarts",
    "samples",
    "sampling",
    "schedule",
    "start",
    "steps",
    "strategy",
    "temperature",
    "train_after",
    "training_precision",
    "training_seconds",
    "unlabelled",
    "unpainted",
    "validation",
    "weights",
    "worker",
)
#: What of it decides how a network is trained, and is handed on as it is.
TRAINING_KEYS = (
    "augmentation",
    "average",
    "balance",
    "batch",
    "confidence",
    "crop",
    "learning_rate",
    "longer",
    "loss",
    "norms",
    "optimiser",
    "patience",
    "schedule",
    "steps",
    "unlabelled",
)
#: What of it is to hold for any strategy, in place of what the strategy says.
STRATEGY_KEYS = (
    "alpha",
    "beta",
    "control",
    "cost",
    "diversity",
    "per_image",
    "per_image_share",
    "per_patient",
    "validation",
)


class ProjectConfig(BaseModel):
    """Settings that a file stores; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    format: Literal["napari-active-seg"] = "napari-active-seg"
    format_version: int = FORMAT_VERSION
    name: str
    created_at: str
    seed: int = Field(default=0, ge=0)
    project_uid: str = ""
    images_dir: str = ""
    masks_dir: str | None = None
    key_file: str | None = None
    annotator: str = "annotator"
    blind: bool = False
    image_classes: tuple[str, ...] = ()
    unpainted: str | None = None
    train_after: int = Field(default=0, ge=0, le=100_000)
    preset: str = "fast"
    measure: str = "bald"
    strategy: str = "uncertain-regions"
    samples: int = Field(default=20, ge=1, le=1000)
    sampling: str = "dropout"
    members: int = Field(default=3, ge=2, le=50)
    calibration: str = "none"
    temperature: float = Field(default=1.0, ge=0.01, le=100)
    precision: Literal["float32", "bfloat16"] = "float32"
    weights: str = "pretrained"
    region_size: int = Field(default=128, ge=8, le=16_384)
    regions_per_round: int = Field(default=8, ge=1, le=100_000)
    start: str = "warm"
    restarts: int = Field(default=1, ge=1, le=50)
    loss: str = "cross-entropy"
    balance: str = "none"
    augmentation: str = "general"
    optimiser: str | None = None
    schedule: str | None = None
    learning_rate: float | None = None
    average: float | None = None
    patience: int | None = None
    steps: int | None = None
    longer: int = Field(default=1, ge=1, le=MOST_LONGER)
    batch: int | None = None
    crop: int | None = None
    unlabelled: str = "off"
    confidence: float = 0.9
    norms: str = "batch"
    cost: str | None = None
    alpha: float | None = None
    beta: float | None = None
    diversity: str | None = None
    control: float | None = None
    validation: float | None = None
    per_image: int | None = None
    per_image_share: float | None = None
    per_patient: int | None = None
    training_precision: str = "auto"
    training_seconds: float = Field(default=60, gt=0, le=MOST_TRAINING_SECONDS)
    worker: Literal["thread", "process"] = "thread"
    cache_limit: float = Field(default=10.0, ge=0.01, le=100_000)  # gigabytes of predictions

    @property
    def training_plan(self) -> TrainingOptions:
        """How networks are trained, as far as the project says."""
        chosen = {key: getattr(self, key) for key in TRAINING_KEYS}
        return TrainingOptions(seed=self.seed, precision=self.training_precision, **chosen)

    @field_validator(
        "optimiser",
        "schedule",
        "learning_rate",
        "average",
        "patience",
        "steps",
        "batch",
        "crop",
        mode="before",
    )
    @classmethod
    def _left_to_the_preset(cls, value: object) -> object:
        return None if value == "preset" else value

    @field_validator("image_classes", mode="before")
    @classmethod
    def _named_apart(cls, value: object) -> object:
        names = [part.strip() for part in value.split(",")] if isinstance(value, str) else value
        if names == [""]:
            return ()
        if not isinstance(names, list | tuple) or len(set(names)) != len(names) or "" in names:
            raise ValueError("classes of images are names apart, such as benign,malignant")
        if len(names) == 1 or len(names) > MOST_IMAGE_CLASSES:
            raise ValueError(f"there are 2 to {MOST_IMAGE_CLASSES} classes of images, or none")
        return tuple(names)

    @field_validator(*STRATEGY_KEYS, mode="before")
    @classmethod
    def _left_to_the_strategy(cls, value: object) -> object:
        return None if value == "strategy" else value

    @field_validator("start")
    @classmethod
    def _known_start(cls, name: str) -> str:
        if name not in STARTS:
            raise ValueError(f"no start {name!r}: {did_you_mean(name, STARTS)}")
        return name

    @model_validator(mode="after")
    def _all_goes_together(self) -> ProjectConfig:
        try:
            _ = self.training_plan
            chosen = {key: getattr(self, key) for key in STRATEGY_KEYS}
            get_strategy(self.strategy).with_changes(**chosen)
        except ConfigError as error:
            raise ValueError(str(error)) from error
        return self

    @field_validator("measure")
    @classmethod
    def _known_measure(cls, name: str) -> str:
        try:
            return check_measure(name)
        except ConfigError as error:
            raise ValueError(str(error)) from error

    @field_validator("key_file")
    @classmethod
    def _key_is_a_table(cls, path: str | None) -> str | None:
        if path is not None and not path.lower().endswith(".csv"):
            raise ValueError(f"the key of pseudonyms is a .csv file, not {path!r}")
        return path

    @field_validator("calibration")
    @classmethod
    def _known_calibration(cls, name: str) -> str:
        if name not in ("none", *CALIBRATIONS):
            raise ValueError(
                f"no calibration {name!r}: {did_you_mean(name, ('none', *CALIBRATIONS))}"
            )
        return name

    @field_validator("sampling")
    @classmethod
    def _known_sampling(cls, name: str) -> str:
        if name not in METHODS:
            raise ValueError(f"no way of sampling {name!r}: {did_you_mean(name, METHODS)}")
        return name

    @field_validator("strategy")
    @classmethod
    def _known_strategy(cls, name: str) -> str:
        try:
            return get_strategy(name).name
        except ConfigError as error:
            raise ValueError(str(error)) from error

    @staticmethod
    def read(path: Path) -> ProjectConfig:
        """Return the settings in ``path``; ProjectError names the key that does not fit."""
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ProjectError(f"{path} cannot be read: {error}") from error
        try:
            raw = json.loads(text)
        except json.JSONDecodeError as error:
            raise ProjectError(
                f"{path} is not valid JSON (line {error.lineno}: {error.msg}); correct that line"
            ) from error
        version = raw.get("format_version") if isinstance(raw, dict) else None
        if isinstance(version, int) and version > FORMAT_VERSION:
            raise ProjectError(
                f"{path.parent} was written by a newer version of napari-active-seg "
                f"(format {version}, this one knows {FORMAT_VERSION}); update the program"
            )
        if version == 1 and isinstance(raw, dict):
            raw = _from_1_to_2(raw)
        try:
            return ProjectConfig.model_validate(raw)
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(str(part) for part in first["loc"]) or "the file"
            raise ProjectError(f"{path}: {key}: {_words(first)}; correct it there") from error

    def write(self, path: Path) -> None:
        """Write the settings; a crash leaves the old file or the new one, never half of one."""
        try:
            with atomic_write(path, lasting=True, root=path.parent) as begun:
                begun.write_text(self.model_dump_json(indent=2) + "\n", encoding="utf-8")
        except OSError as error:
            raise ProjectError(
                f"{path} could not be written ({error.strerror or error}); the settings of before "
                "stay. Free disk space or check that the folder may be written to"
            ) from error

    def with_changes(self, changes: Mapping[str, object]) -> ProjectConfig:
        """Return the settings with some of them changed; ConfigError names what does not fit."""
        for key in changes:
            if key not in EDITABLE:
                raise ConfigError(
                    f"setting {key!r} cannot be changed: {did_you_mean(key, EDITABLE)}"
                )
        if "preset" in changes:  # a project that came from elsewhere may name one that is not here
            check_preset_known(str(changes["preset"]))
        try:
            return ProjectConfig.model_validate({**self.model_dump(), **changes})
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(str(part) for part in first["loc"])
            if not key:  # settings that do not go together
                raise ConfigError(_words(first)) from error
            raise ConfigError(f"setting {key}: {_words(first)}, got {first['input']!r}") from error


def _words(error: Mapping[str, Any]) -> str:
    """Return what pydantic says of a value, without its own preface to our words."""
    return str(error["msg"]).removeprefix("Value error, ")


def _from_1_to_2(raw: dict[str, Any]) -> dict[str, Any]:
    """Give an older project a name of its own that its copies share."""
    facts = f"{raw.get('name')}|{raw.get('created_at')}|{raw.get('seed')}"
    uid = hashlib.sha256(facts.encode()).hexdigest()[:32]
    return {**raw, "format_version": FORMAT_VERSION, "project_uid": uid}
