"""Where a person was: image, region and tool, so that a crash lands on the same place again.

A small file in the project's cache; losing it costs a moment of looking, so it is written without
waiting for the disk, and what cannot be read is as good as nothing.
"""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from napari_active_seg._util.atomic_write import atomic_write

__all__ = ["UiState", "UiStateFile"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class UiState:
    """What is on screen, the tool and the class, and how much was proposed last."""

    image_id: str = ""
    region_id: str = ""
    tool: str = ""
    class_index: int = -1
    tab: str = ""
    amount: int = 0  #: of the budget, in ``unit``; 0 before anybody has chosen one
    unit: str = ""


class UiStateFile:
    """Keeps the latest bookmark in ``path``, a file in the project's cache.

    Where nothing may be written it is kept in memory.
    """

    def __init__(self, path: Path, *, writes: bool) -> None:
        self._path, self._writes = path, writes
        self.latest = _read(path)

    def stop_writing(self) -> None:
        """Keep the bookmark in memory alone from now on."""
        self._writes = False

    def keep(self, **changes: str | int) -> None:
        """Change parts of the bookmark and write it down, unless all is as it was."""
        new = replace(self.latest, **changes)  # type: ignore[arg-type]
        if new == self.latest:
            return
        self.latest = new
        if not self._writes:
            return
        try:
            with atomic_write(self._path, root=self._path.parents[1]) as begun:
                begun.write_text(json.dumps(asdict(new)), encoding="utf-8")
        except OSError as error:
            _log.info("the place was not written down: %s", error)


def _read(path: Path) -> UiState:
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return UiState()
    if not isinstance(raw, dict):
        return UiState()
    kinds = {field.name: type(field.default) for field in fields(UiState)}
    known: dict[str, Any] = {
        key: value for key, value in raw.items() if key in kinds and type(value) is kinds[key]
    }
    return UiState(**known)
