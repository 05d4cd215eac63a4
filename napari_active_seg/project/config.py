"""The settings of a project that a person may edit: ``project.json``."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, field_validator

from napari_active_seg._util.atomic_write import atomic_write
from napari_active_seg.errors import ConfigError, ProjectError, did_you_mean
from napari_active_seg.models.inference_options import InferenceOptions
from napari_active_seg.models.options import OptionField, Options
from napari_active_seg.models.preset_names import check_preset_known
from napari_active_seg.models.training_options import TrainingOptions
from napari_active_seg.project.old_settings import find_new_name, migrate_project
from napari_active_seg.project.strategy_options import StrategyOptions

__all__ = ["FORMAT_VERSION", "MOST_IMAGE_CLASSES", "SETTINGS", "ProjectConfig", "migrate_file"]

FORMAT_VERSION = 3
#: Each class of images has a key of its own, from 1.
MOST_IMAGE_CLASSES = 9

_SECTIONS: dict[str, type[Options]] = {
    "training": TrainingOptions,
    "inference": InferenceOptions,
    "acquisition": StrategyOptions,
}


class ProjectConfig(Options):
    """Settings that a file stores; unknown keys are refused.

    Frozen fields are decided when the project is made. The name of each setting is one of its own,
    whichever section it lies in.
    """

    format: Literal["napari-active-seg"] = Field(default="napari-active-seg", frozen=True)
    format_version: int = Field(default=FORMAT_VERSION, frozen=True)
    name: str = Field(description="Name of the project.")
    created_at: str = Field(frozen=True)
    seed: int = Field(default=0, ge=0, frozen=True)
    project_uid: str = Field(default="", frozen=True)
    images_dir: str = Field(default="", frozen=True)
    masks_dir: str | None = Field(default=None, frozen=True)
    key_file: str | None = Field(default=None, description="CSV file with the key of pseudonyms.")
    annotator: str = Field(default="annotator", description="Name that labels are saved under.")
    blind: bool = Field(
        default=False, description="Blind mode: hide predictions and shuffle the queue."
    )
    image_classes: tuple[str, ...] = Field(
        default=(), description="Classes of whole images, such as benign,malignant."
    )
    unpainted: str | None = Field(
        default=None, description="Class that unpainted pixels of a finished region count as."
    )
    train_after: int = Field(
        default=0,
        ge=0,
        le=100_000,
        description="Retrain automatically after this many finished regions; 0: never.",
    )
    preset: str = Field(default="fast", description="The network, with its training defaults.")
    region_size: int = Field(
        default=128, ge=8, le=16_384, description="Side of a region in pixels."
    )
    regions_per_round: int = Field(
        default=8, ge=1, le=100_000, description="Regions of a proposal."
    )
    worker: Literal["thread", "process"] = Field(
        default="thread", description="Where the window runs jobs."
    )
    cache_limit: float = Field(
        default=10.0, ge=0.01, le=100_000, description="Gigabytes of cached predictions."
    )
    training: TrainingOptions = Field(default=TrainingOptions(), frozen=True)
    inference: InferenceOptions = Field(default=InferenceOptions(), frozen=True)
    acquisition: StrategyOptions = Field(default=StrategyOptions(), frozen=True)

    @field_validator("training", "inference", "acquisition", mode="before")
    @classmethod
    def _holds_settings_alone(cls, value: object, info: Any) -> object:
        known = _SECTIONS[info.field_name].list_fields()
        for key in value if isinstance(value, Mapping) else ():
            if key not in known:
                raise ConfigError(f"no setting {key!r}: {did_you_mean(str(key), known)}")
        return value

    @field_validator("image_classes", mode="before")
    @classmethod
    def _differ(cls, value: object) -> object:
        names = [part.strip() for part in value.split(",")] if isinstance(value, str) else value
        if names == [""]:
            return ()
        if not isinstance(names, list | tuple) or len(set(names)) != len(names) or "" in names:
            raise ConfigError(
                f"image_classes must be names that differ, such as benign,malignant, got {value!r}"
            )
        if len(names) == 1 or len(names) > MOST_IMAGE_CLASSES:
            raise ConfigError(
                f"image_classes must be 2 to {MOST_IMAGE_CLASSES} classes, or none, got {value!r}"
            )
        return tuple(names)

    @field_validator("key_file")
    @classmethod
    def _is_a_table(cls, path: str | None) -> str | None:
        if path is not None and not path.lower().endswith(".csv"):
            raise ConfigError(f"key_file, the key of pseudonyms, must be a .csv file, got {path!r}")
        return path

    @staticmethod
    def read(path: Path) -> ProjectConfig:
        """Return the settings in ``path``; ProjectError names the key that does not fit.

        Those of an older program are returned under their names of today.
        """
        raw = _read_json(path)
        version = raw.get("format_version")
        if isinstance(version, int) and version > FORMAT_VERSION:
            raise ProjectError(
                f"{path.parent} was written by a newer version of napari-active-seg "
                f"(format {version}, this one knows {FORMAT_VERSION}); update the program"
            )
        if version in (1, 2):
            raw = migrate_project(raw, {name: s for name, (s, _) in SETTINGS.items() if s})
        try:
            return ProjectConfig.model_validate(raw)
        except ConfigError as error:
            raise ProjectError(f"{path}: {error}; correct it there") from error

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

    def get(self, name: str) -> Any:
        """Return the value of a setting by its own name, whichever section it lies in."""
        section, _ = SETTINGS[name]
        return getattr(getattr(self, section) if section else self, name)

    def as_flat_dict(self) -> dict[str, Any]:
        """Return everything that is stored by name, without the sections."""
        stored = self.model_dump(mode="json")
        inner = {key: value for name in _SECTIONS for key, value in stored.pop(name).items()}
        return {**stored, **inner}

    def with_changes(self, /, **changes: object) -> Self:
        """Return the settings with some of them changed, by their own names.

        ConfigError names what does not fit.
        """
        for key in changes:
            new_name = find_new_name(key)
            if new_name is not None:
                raise ConfigError(f"setting {key!r} has another name: use {new_name}")
            if key not in SETTINGS:
                raise ConfigError(
                    f"setting {key!r} cannot be changed: {did_you_mean(key, SETTINGS)}"
                )
        if "preset" in changes:  # a project that came from elsewhere may name one that is not here
            check_preset_known(str(changes["preset"]))
        own: dict[str, object] = dict(self)
        for name in _SECTIONS:
            new = {k: v for k, v in changes.items() if SETTINGS[k][0] == name}
            own[name] = getattr(self, name).with_changes(**new) if new else own[name]
        top = {key: value for key, value in changes.items() if not SETTINGS[key][0]}
        return type(self).model_validate({**own, **top})


_ALL_SECTIONS: dict[str, type[Options]] = {"": ProjectConfig, **_SECTIONS}
#: What a person may set, by name: the section that it lies in, empty for none, and its field.
SETTINGS: dict[str, tuple[str, OptionField]] = {
    name: (section, field)
    for section, model in _ALL_SECTIONS.items()
    for name, field in sorted(model.list_fields().items())
}


def migrate_file(path: Path, backups: Path) -> None:
    """Bring a file of an older format to this one, after a copy of it was put into ``backups``."""
    version = _read_json(path).get("format_version")
    if version == FORMAT_VERSION:
        return
    config, stamp = ProjectConfig.read(path), time.strftime("%Y%m%d-%H%M%S")
    try:
        backups.mkdir(exist_ok=True)
        with atomic_write(
            backups / f"project-format{version}-{stamp}.json", lasting=True, root=backups
        ) as begun:
            begun.write_bytes(path.read_bytes())
    except OSError as error:
        raise ProjectError(
            f"{backups} could not be written ({error.strerror or error}), and without a copy the "
            "settings of an older project are not changed; open it read-only, or free the folder "
            "for writing"
        ) from error
    config.write(path)


def _read_json(path: Path) -> dict[str, Any]:
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
    if not isinstance(raw, dict):
        raise ProjectError(f"{path} holds no settings; restore it from a copy")
    return raw
