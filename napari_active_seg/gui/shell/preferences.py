"""What a person prefers on this machine, whichever project is open."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from psygnal import Signal
from qtpy.QtCore import QStandardPaths

from napari_active_seg._util.atomic_write import atomic_write

__all__ = ["SETTINGS_VARIABLE", "Preferences", "PreferencesFile"]

_log = logging.getLogger(__name__)
#: Names another file for the preferences, for tests and for machines that are shared.
SETTINGS_VARIABLE = "NAPARI_ACTIVE_SEG_SETTINGS"


@dataclass(frozen=True, slots=True)
class Preferences:
    """A person's name, keys and how things are shown.

    ``clip`` is the percentile at which the colours of uncertainty end. ``click_helper`` is a folder
    with a checkpoint, or the name of a helper that somebody registered. ``offers_retraining`` is
    False once the person has declined to have models trained automatically. ``open_sections`` are
    the sections of the dock that can be folded, and whether each is open.
    """

    name: str = ""
    hand: str = "right"
    keys: Mapping[str, str] = field(default_factory=dict)
    dims: bool = True
    shows_time: bool = True
    measures_time: bool = True
    fills_prediction: bool = False
    clip: float = 99.5
    click_helper: str = ""
    shows_prediction: bool = True
    shows_uncertainty: bool = True
    prediction_opacity: float = 0.9
    uncertainty_opacity: float = 0.75
    offers_retraining: bool = True
    open_sections: Mapping[str, bool] = field(default_factory=dict)


class PreferencesFile:
    """Keeps preferences in a file of the person's own; what cannot be read is as if never set."""

    changed = Signal(Preferences)

    def __init__(self, path: Path | None = None) -> None:
        self._path = path or _usual_path()
        self.now = _read(self._path)

    def change(self, **changes: Any) -> None:
        """Change some of them, write them down and tell."""
        new = replace(self.now, **changes)
        if new == self.now:
            return
        self.now = new
        try:
            with atomic_write(self._path) as begun:
                begun.write_text(json.dumps(asdict(new), indent=2), encoding="utf-8")
        except OSError as error:
            _log.warning("preferences hold for this time only: %s", error)
        self.changed.emit(new)


def _usual_path() -> Path:
    named = os.environ.get(SETTINGS_VARIABLE)
    if named:
        return Path(named)
    kind = QStandardPaths.StandardLocation.GenericConfigLocation
    return Path(QStandardPaths.writableLocation(kind)) / "napari-active-seg" / "settings.json"


def _read(path: Path) -> Preferences:
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return Preferences()
    if not isinstance(raw, dict):
        return Preferences()
    known: dict[str, Any] = {}
    for part in fields(Preferences):
        value, usual = raw.get(part.name), getattr(Preferences(), part.name)
        if isinstance(value, type(usual)) or (isinstance(usual, float) and type(value) is int):
            known[part.name] = value
    return Preferences(**known)
