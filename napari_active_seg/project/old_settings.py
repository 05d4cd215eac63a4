"""Settings of older programs under their names of today.

Projects of format 1 and 2, headers of checkpoints and files of studies hold the older names.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

__all__ = [
    "find_new_name",
    "migrate_project",
    "migrate_settings",
    "migrate_strategy_parts",
    "migrate_training",
    "restore_old_names",
]

#: Settings that have another name since format 3.
_RENAMED = {
    "average": "ema_decay",
    "balance": "class_balance",
    "confidence": "pseudo_label_threshold",
    "longer": "training_length",
    "members": "ensemble_size",
    "norms": "batch_norm",
    "sampling": "uncertainty_from",
    "unlabelled": "semi_supervised",
}
#: Values that have another name.
_VALUES = {("batch_norm", "batch"): "trained"}


def find_new_name(name: str) -> str | None:
    """Return what an older setting is called today; None where it never had another name."""
    return {**_RENAMED, "start": "init", "weights": "init or weights_file"}.get(name)


def migrate_settings(
    settings: Mapping[str, Any], shared: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return settings of a project, by name, under their names of today.

    What started a training was in two settings: ``start`` (warm or fresh) and ``weights``
    (pretrained, random or a file). ``shared`` are older settings, which ``settings`` override.
    """
    found: dict[str, Any] = {}
    for key, value in settings.items():
        if key not in ("start", "weights"):
            name = _RENAMED.get(key, key)
            found[name] = _VALUES.get((name, value), value) if isinstance(value, str) else value
    both = {**(shared or {}), **settings}
    if "start" in settings or "weights" in settings:
        weights = both.get("weights", "pretrained")
        fresh = "scratch" if weights == "random" else "pretrained"
        found["init"] = fresh if both.get("start", "warm") == "fresh" else "current"
        if weights not in ("pretrained", "random"):
            found["weights_file"] = weights
    return found


def restore_old_names(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings under the names of format 2, the inverse of ``migrate_settings``."""
    old_names = {new: old for old, new in _RENAMED.items()}
    old_values = {(name, new): old for (name, old), new in _VALUES.items()}
    found: dict[str, Any] = {}
    for key, value in settings.items():
        if key not in ("init", "weights_file"):
            known = old_values.get((key, value), value) if isinstance(value, str) else value
            found[old_names.get(key, key)] = known
    if "init" in settings:
        found["start"] = "warm" if settings["init"] == "current" else "fresh"
        if settings["init"] == "scratch":
            found["weights"] = "random"
    if "weights_file" in settings:
        found["weights"] = settings["weights_file"]
    return found


def migrate_training(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return training options out of the header of a checkpoint under their names of today."""
    found = migrate_settings(options)
    if "precision" in found:
        found["training_precision"] = found.pop("precision")
    return found


def migrate_strategy_parts(parts: Mapping[str, Any]) -> dict[str, Any]:
    """Return parts of a strategy under their names of today."""
    return {{"coldness": "inverse_temperature"}.get(key, key): v for key, v in parts.items()}


def migrate_project(raw: Mapping[str, Any], sections: Mapping[str, str]) -> dict[str, Any]:
    """Return the content of a project's settings of format 1 or 2 as one of format 3.

    ``sections`` are the sections of settings that lie in one, by the setting's name.
    """
    if raw.get("format_version") == 1:  # without a name that copies of the project share
        facts = f"{raw.get('name')}|{raw.get('created_at')}|{raw.get('seed')}"
        raw = {**raw, "project_uid": hashlib.sha256(facts.encode()).hexdigest()[:32]}
    found: dict[str, Any] = {}
    for name, value in migrate_settings(raw).items():
        place = found.setdefault(sections[name], {}) if name in sections else found
        place[name] = value
    return {**found, "format_version": 3}
