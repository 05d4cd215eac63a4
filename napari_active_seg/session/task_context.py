"""Tasks: plain functions of a project, its models and options, which run as jobs.

A task reads what it needs from the project in its first lines and returns a frozen result; storing
the result is its service's work. A task crosses to another process, where the project is opened
read-only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from napari_active_seg.images import ImageSource
from napari_active_seg.jobs import CancelToken
from napari_active_seg.jobs.job import ProgressCallback
from napari_active_seg.models.segmenter import SegmenterFactory
from napari_active_seg.project import Project
from napari_active_seg.session.check_images import check_unchanged
from napari_active_seg.session.model_access.model_cache import ModelCache

__all__ = ["Task", "TaskContext"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class TaskContext:
    """A project and its models, for a task to read, with its progress and its cancellation."""

    project: Project
    models: ModelCache
    token: CancelToken
    report: ProgressCallback

    @property
    def networks(self) -> SegmenterFactory:
        """Builds and loads networks."""
        return self.models.networks

    def open_image(self, image_id: str) -> ImageSource:
        """Return the source of an image; ImageError where its file cannot be read."""
        return self.project.images.source(image_id)

    def check_cancelled(self) -> None:
        """Raise StoppedError if the job is to stop."""
        self.token.check()

    def check_images(self, image_ids: Iterable[str]) -> None:
        """Raise ImageError where files of images were replaced since the project took them."""
        check_unchanged(self.project.images.find_changed, image_ids, self.token)


@dataclass(frozen=True, slots=True)
class Task(Generic[T]):
    """A task with the project and the models that it reads, as the work of a job."""

    run: Callable[[TaskContext], T]
    project: Project
    models: ModelCache

    def __call__(self, token: CancelToken, report: ProgressCallback) -> T:
        """Run the task."""
        return self.run(TaskContext(self.project, self.models, token, report))
