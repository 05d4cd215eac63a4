"""Care of a project: its classes, its settings, where its images are and where tissue is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Literal, overload

import numpy as np
from numpy.typing import NDArray
from psygnal import Signal

from napari_active_seg.errors import BusyError, NothingToDoError
from napari_active_seg.jobs import CancelToken, JobKind
from napari_active_seg.jobs.job import ProgressCallback
from napari_active_seg.project import Relinked, find_moved_images
from napari_active_seg.regions import ClassRegistry
from napari_active_seg.session.add_images import AddedImages, add_images
from napari_active_seg.session.context import SessionContext

__all__ = ["ProjectMaintenance"]


class ProjectMaintenance:
    """Changes the project and not its labels: classes, settings, images, tissue."""

    images_replaced = Signal(tuple)  # ids of images whose files were taken as they are now

    def __init__(self, ctx: SessionContext) -> None:
        self._ctx = ctx

    # --- classes -----------------------------------------------------------------------------

    def add_class(self, name: str, colour: str | None = None) -> None:
        """Add a class at the end; labels stay as they are."""
        self._change(lambda book: book.add_class(name, colour), f"added {name}")

    def rename_class(self, name: str, new_name: str) -> None:
        """Call a class otherwise."""
        self._change(
            lambda book: book.rename_class(name, new_name), f"renamed {name} to {new_name}"
        )
        self._follow_class(name, new_name)

    def recolour_class(self, name: str, colour: str) -> None:
        """Give a class another colour (``#rrggbb``)."""
        self._change(lambda book: book.recolour_class(name, colour), f"coloured {name} {colour}")

    def reorder_classes(self, names: Sequence[str]) -> None:
        """Put the classes into another order."""
        self._change(lambda book: book.reorder_classes(names), f"ordered {', '.join(names)}")

    def merge_classes(self, name: str, into: str) -> None:
        """Count what is labelled ``name`` as ``into`` from now on."""
        self._change(lambda book: book.merge_classes(name, into), f"merged {name} into {into}")
        self._follow_class(name, into)

    def undo_class_change(self) -> str:
        """Take the latest change of classes back and return what it was."""
        self._check_idle()
        self._ctx.flush_labels()
        undone = self._ctx.project.classes.undo(annotator=self._ctx.project.config.annotator)
        self._show_classes()
        return undone

    def _follow_class(self, name: str, now: str) -> None:
        """Keep what unpainted pixels are, where that class is called otherwise from now on."""
        if self._ctx.project.config.unpainted == name:
            self._ctx.project.configure(unpainted=now)

    def _change(self, change: Callable[[ClassRegistry], ClassRegistry], what: str) -> None:
        self._check_idle()
        book = change(self._ctx.project.classes.current)
        self._ctx.flush_labels()
        self._ctx.project.classes.change(
            book, what=what, annotator=self._ctx.project.config.annotator
        )
        self._show_classes()

    def _show_classes(self) -> None:
        self._ctx.update(schema=self._ctx.project.schema, predicted=self._ctx.predicted())

    def _check_idle(self) -> None:
        job = self._ctx.state.job
        if job is not None:
            raise BusyError(
                f"{job.title} is under way in the classes as they are; wait, or stop it"
            )

    # --- images ------------------------------------------------------------------------------

    @overload
    def relink(self, folder: Path, *, wait: Literal[True] = ...) -> Relinked: ...
    @overload
    def relink(self, folder: Path, *, wait: Literal[False]) -> Future[Relinked]: ...
    def relink(self, folder: Path, *, wait: bool = True) -> Relinked | Future[Relinked]:
        """Find missing images again below ``folder``, by their content."""
        images = self._ctx.project.images
        missing = [images.ref(image_id) for image_id in images.missing()]
        if not missing:
            raise NothingToDoError("no image is missing: every file is where it should be")

        def work(token: CancelToken, report: ProgressCallback) -> Relinked:
            return find_moved_images(missing, folder, on_file=_make_reporter(token, report))

        future = self._ctx.start(JobKind.RELINK, work, self._keep_relinked)
        return future.result() if wait else future

    @overload
    def accept_changed(self, *, wait: Literal[True] = ...) -> tuple[str, ...]: ...
    @overload
    def accept_changed(self, *, wait: Literal[False]) -> Future[tuple[str, ...]]: ...
    def accept_changed(self, *, wait: bool = True) -> tuple[str, ...] | Future[tuple[str, ...]]:
        """Take the files of images that were replaced as they are now, and return the images.

        Labels stay as they are; predictions of such images are removed. ImageError where a file
        has another size than before.
        """
        project = self._ctx.project
        ids = tuple(ref.id for ref in project.images.all())

        def work(token: CancelToken, report: ProgressCallback) -> tuple[str, ...]:
            tell = _make_reporter(token, report)
            return project.images.find_changed(ids, on_image=lambda number: tell(number, len(ids)))

        future = self._ctx.start(JobKind.RELINK, work, self._keep_changed)
        return future.result() if wait else future

    def _keep_changed(self, image_ids: tuple[str, ...]) -> tuple[str, ...]:
        if not image_ids:
            raise NothingToDoError("no image was replaced: every file is as the project took it")
        project = self._ctx.project
        project.images.accept_changed(image_ids)
        project.predictions.drop_images(image_ids)
        project.events.add(
            "replaced images accepted",
            annotator=project.config.annotator,
            facts={"images": list(image_ids)},
        )
        self._ctx.update(predicted=self._ctx.predicted())
        self.images_replaced.emit(image_ids)
        return image_ids

    def note_missing(self, image_ids: Sequence[str]) -> None:
        """Take in which images are not where they should be now."""
        self._ctx.update(missing=frozenset(image_ids))

    def _keep_relinked(self, relinked: Relinked) -> Relinked:
        if relinked.found:
            self._ctx.project.images.move(relinked.found)
            self._ctx.project.events.add(
                "relinked",
                annotator=self._ctx.project.config.annotator,
                facts={"images": sorted(relinked.found)},
            )
        self._ctx.update(missing=frozenset(relinked.missing))
        return relinked

    @overload
    def add_images(
        self, folder: Path, *, group_pattern: str | None = ..., wait: Literal[True] = ...
    ) -> AddedImages: ...
    @overload
    def add_images(
        self, folder: Path, *, group_pattern: str | None = ..., wait: Literal[False]
    ) -> Future[AddedImages]: ...
    def add_images(
        self, folder: Path, *, group_pattern: str | None = None, wait: bool = True
    ) -> AddedImages | Future[AddedImages]:
        """Add the images below ``folder`` that the project does not have."""
        project = self._ctx.project

        def work(token: CancelToken, report: ProgressCallback) -> AddedImages:
            tell = _make_reporter(token, report)
            return add_images(project, folder, group_pattern=group_pattern, on_file=tell)

        def deliver(added: AddedImages) -> AddedImages:
            self._ctx.update(image_ids=tuple(ref.id for ref in project.images.all()))
            return added

        future = self._ctx.start(JobKind.ADD_IMAGES, work, deliver)
        return future.result() if wait else future

    def set_spacing(self, spacing: float) -> None:
        """Say how many micrometres a pixel is in images whose files do not."""
        ids = self._ctx.project.images.set_spacing(spacing)
        self._ctx.project.events.add(
            "spacing",
            annotator=self._ctx.project.config.annotator,
            facts={"um_per_pixel": spacing, "images": len(ids)},
        )

    def tissue(self, image_id: str) -> NDArray[np.bool_]:
        """Return where an image shows tissue (h, w), at a low resolution."""
        return self._ctx.project.images.tissue(image_id)

    def set_tissue(self, image_id: str, mask: NDArray[np.bool_] | None) -> None:
        """Keep a corrected tissue mask (h, w); None goes back to the one that is computed."""
        annotator = self._ctx.project.config.annotator
        self._ctx.project.images.set_tissue(image_id, mask, annotator=annotator)

    # --- settings ----------------------------------------------------------------------------

    def configure(self, /, **changes: object) -> None:
        """Change settings of the project; ConfigError names what does not fit."""
        self._ctx.project.configure(**changes)
        config = self._ctx.project.config
        shown = {"measure": config.acquisition.measure} if "measure" in changes else {}
        self._ctx.update(project=config.name, blind=config.blind, **shown)
        self._ctx.update(predicted=self._ctx.predicted())


def _make_reporter(token: CancelToken, report: ProgressCallback) -> Callable[[int, int], None]:
    """Return what a search calls at each file: it reports, and stops at a word."""

    def tell(number: int, total: int) -> None:
        token.check()
        report(number, total, "")

    return tell
