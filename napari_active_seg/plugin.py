"""Puts the parts together: the only module that knows both torch's room and the session's."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from napari_active_seg.jobs import InlineRunner, ThreadRunner
from napari_active_seg.project import Project
from napari_active_seg.segmenter import Segmenter, SegmenterFactory
from napari_active_seg.session import Session
from napari_active_seg.session.creation import create_project

__all__ = ["LazySegmenters", "create_project", "open_session"]


def open_session(
    folder: Path | str, *, device: str = "auto", in_background: bool = False
) -> Session:
    """Return a session of the project in ``folder``; close it when you are done.

    ``in_background`` runs jobs in a thread, as the desktop does; otherwise each verb has
    ended when it returns, and ``wait`` raises its error.
    """
    project = Project.open(Path(folder))
    runner = ThreadRunner() if in_background else InlineRunner()
    return Session(project, LazySegmenters(device), runner)


class LazySegmenters:
    """A SegmenterFactory that loads torch at the first model, so that the rest starts fast."""

    def __init__(self, device: str = "auto") -> None:
        self._device = device

    @cached_property
    def _factory(self) -> SegmenterFactory:
        from napari_active_seg.learning import TorchSegmenterFactory

        return TorchSegmenterFactory(self._device)

    def build(self, preset: str, *, classes: tuple[str, ...], seed: int) -> Segmenter:
        """Return an untrained segmenter."""
        return self._factory.build(preset, classes=classes, seed=seed)

    def load(self, path: Path, *, classes: tuple[str, ...]) -> Segmenter:
        """Return the segmenter of a checkpoint."""
        return self._factory.load(path, classes=classes)
