"""The settings of a project that a person may edit: ``project.json``."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from napari_active_seg.errors import ConfigError, ProjectError
from napari_active_seg.uncertainty import measure_named

__all__ = ["FORMAT_VERSION", "ProjectConfig"]

FORMAT_VERSION = 1


class ProjectConfig(BaseModel):
    """Settings that a file stores; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal["napari-active-seg"] = "napari-active-seg"
    format_version: int = FORMAT_VERSION
    name: str
    created_at: str
    seed: int = Field(default=0, ge=0)
    images_dir: str
    masks_dir: str | None = None
    annotator: str = "annotator"
    preset: str = "fast"
    measure: str = "bald"
    strategy: str = "uncertain-regions"
    samples: int = Field(default=20, ge=1, le=1000)
    region_size: int = Field(default=128, ge=8)
    regions_per_round: int = Field(default=8, ge=1)

    @field_validator("measure")
    @classmethod
    def _known_measure(cls, name: str) -> str:
        try:
            return measure_named(name).name
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
        try:
            return ProjectConfig.model_validate(raw)
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(str(part) for part in first["loc"]) or "the file"
            raise ProjectError(f"{path}: {key}: {first['msg']}; correct it there") from error

    def write(self, path: Path) -> None:
        """Write the settings; a crash leaves the old file or the new one, never half of one."""
        temporary = path.with_name(path.name + ".new")
        with temporary.open("w", encoding="utf-8") as file:
            file.write(self.model_dump_json(indent=2) + "\n")
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
