"""Whether a folder may take a study."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from napari_active_seg.errors import BadInputError

__all__ = ["check_folder_empty", "check_same_settings"]


def check_same_settings(out: Path, differ: Sequence[str]) -> None:
    """Raise BadInputError if the study in ``out`` differs in some settings."""
    if differ:
        raise BadInputError(
            f"{out} holds a study with other settings ({', '.join(differ)}); choose another "
            "--out, or remove it"
        )


def check_folder_empty(out: Path) -> None:
    """Raise BadInputError if ``out``, which holds no study, holds anything."""
    if out.exists() and any(out.iterdir()):
        raise BadInputError(f"{out} exists and is not empty; choose another --out")
