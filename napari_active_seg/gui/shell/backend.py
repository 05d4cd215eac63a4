"""What the dock needs of packages that the desktop may not import.

``napari_active_seg.api`` fills it in; tests replace single functions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from napari_active_seg.models.interactive import InteractiveSegmenter
from napari_active_seg.session import Session

__all__ = ["Backend", "OpenSession", "WriteSampleProject"]


class OpenSession(Protocol):
    """Opens a project."""

    def __call__(
        self, folder: Path, *, read_only: bool = False, take_over: bool = False
    ) -> Session:
        """Return a session whose jobs run in the background."""


class WriteSampleProject(Protocol):
    """Writes a project of drawn images."""

    def __call__(
        self, name: str, folder: Path, *, on_image: Callable[[int, int], None] | None = None
    ) -> Path:
        """Write the sample project of a name below ``folder`` and return its folder."""


@dataclass(frozen=True, slots=True)
class Backend:
    """Functions that reach the networks."""

    open_session: OpenSession
    write_sample_project: WriteSampleProject
    #: Returns the interactive segmenter registered under a name, or the checkpoint in a folder.
    load_click_helper: Callable[[str], InteractiveSegmenter]
