"""What the settings of all studies have in common: frozen, and checked with words."""

from __future__ import annotations

from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from napari_active_seg.errors import ConfigError

__all__ = ["Settings"]


class Settings(BaseModel):
    """Settings that name what does not fit."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @classmethod
    def made(cls, **settings: Any) -> Self:
        """Return what the settings say; ConfigError names the one that does not fit."""
        try:
            return cls(**settings)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            words = str(first["msg"]).removeprefix("Value error, ")
            raise ConfigError(f"{where}: {words}" if where else words) from error
