"""Settings that all studies share: parsed with readable errors, saved, and compared on resuming."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from napari_active_seg._util.atomic_write import atomic_write
from napari_active_seg.errors import BadInputError, ConfigError

__all__ = ["CONFIG", "BaseArmSettings", "BaseStudySettings", "Settings"]

#: The file of a study's settings in its folder.
CONFIG = "study.json"


class Settings(BaseModel):
    """Frozen settings; an error names the setting that is wrong."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @classmethod
    def parse(cls, **settings: Any) -> Self:
        """Return validated settings; ConfigError names the first that is wrong."""
        try:
            return cls(**settings)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            problem = str(first["msg"]).removeprefix("Value error, ")
            raise ConfigError(f"{where}: {problem}" if where else problem) from error


class BaseArmSettings(Settings):
    """An arm of a study: a way to choose, with a name."""

    #: Settings that may differ when a study is resumed.
    changeable: ClassVar[frozenset[str]] = frozenset()

    name: str


class BaseStudySettings(Settings):
    """Everything that decides the results of a study, and what is reported of them."""

    #: Settings that may differ when a study is resumed; of nested settings, which of them.
    changeable: ClassVar[dict[str, Any]] = {}
    indent: ClassVar[int] = 2

    if TYPE_CHECKING:  # each study declares these itself: fields are saved in declared order
        seeds: tuple[int, ...]
        arms: tuple[BaseArmSettings, ...]
        threads: int

    @model_validator(mode="after")
    def _check_names_and_seeds(self) -> Self:
        names = [arm.name for arm in self.arms]
        if not names or len(set(names)) != len(names):
            raise ValueError(f"arms need names of their own, got {', '.join(names) or 'none'}")
        if not self.seeds or len(set(self.seeds)) != len(self.seeds):
            raise ValueError(f"seeds must differ, and there must be one: {self.seeds}")
        return self

    @classmethod
    def read(cls, path: Path) -> Self:
        """Return the study of a settings file; ConfigError if the file holds none."""
        try:
            raw = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, json.JSONDecodeError) as error:
            raise ConfigError(f"{path} is not a study file: {error}") from error
        if not isinstance(raw, dict):
            raise ConfigError(f"{path} is not a study file")
        return cls.parse(**cls.migrate(raw))

    @classmethod
    def migrate(cls, raw: dict[str, Any]) -> dict[str, Any]:
        """Return settings that an older version saved under today's names."""
        return raw

    def as_json(self) -> str:
        """Return the text that ``read`` reads."""
        return self.model_dump_json(indent=self.indent) + "\n"

    def save(self, out: Path) -> None:
        """Save the settings in the folder of the study."""
        with atomic_write(out / CONFIG) as file:
            file.write_text(self.as_json(), encoding="utf-8")

    def check_resumable(self, out: Path) -> None:
        """Raise BadInputError unless ``out`` is empty or holds this study.

        A study may be resumed with more arms or seeds and with other ``changeable`` settings.
        """
        if not (out / CONFIG).is_file():
            if out.exists() and any(out.iterdir()):
                raise BadInputError(f"{out} exists and is not empty; choose another --out")
            return
        saved = self.read(out / CONFIG)
        ours, theirs = (
            study.model_dump(exclude=self.changeable | {"arms": True, "seeds": True})
            for study in (self, saved)
        )
        differ = [name for name, value in ours.items() if value != theirs[name]]
        known = {arm.name: arm for arm in saved.arms}
        for arm in self.arms:
            before, now = (
                one.model_dump(exclude=set(arm.changeable))
                for one in (known.get(arm.name, arm), arm)
            )
            if before != now:
                differ.append(f"arm {arm.name}")
        if differ:
            raise BadInputError(
                f"{out} holds a study with other settings ({', '.join(differ)}); choose another "
                "--out, or remove it"
            )
