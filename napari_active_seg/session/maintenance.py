"""Care of a project: its classes, its settings, where its images are and where tissue is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from psygnal import Signal

from napari_active_seg.errors import BusyError, NothingToDoError
from napari_active_seg.jobs import CancelToken
from napari_active_seg.jobs.job import ProgressCallback
from napari_active_seg.project import Project, Relinked, find_moved_images
from napari_active_seg.regions import ClassRegistry
from napari_active_seg.session.add_images import AddedImages, add_images
from napari_active_seg.session.state import SessionState

__all__ = ["ProjectMaintenance"]


class ProjectMaintenance:
    """Verbs that change the project and not its labels; ``apply`` changes the session's state."""

    images_replaced = Signal(tuple)  # ids of images whose files were taken as they are now

    def __init__(
        self,
        project: Project,
        state: Callable[[], SessionState],
        apply: Callable[..., None],
        *,
        start: Callable[..., None],
        flush: Callable[[], None],
        predicted: Callable[[], frozenset[str]],
    ) -> None:
        self._project = project
        self._state = state
        self._apply = apply
        self._start = start
        self._flush = flush
        self._predicted = predicted

    # --- classes -----------------------------------------------------------------------------

    def add_class(self, name: str, colour: str | None = None) -> None:
        """Add a class at the end; labels stay as they are."""
        self._change(lambda book: book.added(name, colour), f"added {name}")

    def rename_class(self, name: str, new_name: str) -> None:
        """Call a class otherwise."""
        self._change(lambda book: book.renamed(name, new_name), f"renamed {name} to {new_name}")
        self._follow_class(name, new_name)

    def recolour_class(self, name: str, colour: str) -> None:
        """Give a class another colour (``#rrggbb``)."""
        self._change(lambda book: book.recoloured(name, colour), f"coloured {name} {colour}")

    def reorder_classes(self, names: Sequence[str]) -> None:
        """Put the classes into another order."""
        self._change(lambda book: book.reordered(names), f"ordered {', '.join(names)}")

    def merge_classes(self, name: str, into: str) -> None:
        """Count what is labelled ``name`` as ``into`` from now on."""
        self._change(lambda book: book.merged_into(name, into), f"merged {name} into {into}")
        self._follow_class(name, into)

    def undo_class_change(self) -> str:
        """Take the latest change of classes back and return what it was."""
        self._check_idle()
        self._flush()
        undone = self._project.classes.undo(annotator=self._project.config.annotator)
        self._show_classes()
        return undone

    def _follow_class(self, name: str, now: str) -> None:
        """Keep what unpainted pixels are, where that class is called otherwise from now on."""
        if self._project.config.unpainted == name:
            self._project.configure(unpainted=now)

    def _change(self, change: Callable[[ClassRegistry], ClassRegistry], what: str) -> None:
        self._check_idle()
        book = change(self._project.classes.current)
        self._flush()
        self._project.classes.change(book, what=what, annotator=self._project.config.annotator)
        self._show_classes()

    def _show_classes(self) -> None:
        self._apply(schema=self._project.schema, predicted=self._predicted())

    def _check_idle(self) -> None:
        job = self._state().job
        if job is not None:
            raise BusyError(f"{job} is under way in the classes as they are; wait, or stop it")

    # --- images ------------------------------------------------------------------------------

    def relink(self, folder: Path, *, on_done: Callable[[Relinked], None] | None = None) -> None:
        """Find missing images again below ``folder``, by what is in them; a job."""
        images = self._project.images
        missing = [images.ref(image_id) for image_id in images.missing()]
        if not missing:
            raise NothingToDoError("no image is missing: every file is where it should be")

        def work(token: CancelToken, report: ProgressCallback) -> Relinked:
            return find_moved_images(missing, folder, on_file=_make_reporter(token, report))

        def deliver(result: object) -> None:
            if isinstance(result, Relinked):
                self._keep_relinked(result)
                if on_done is not None:
                    on_done(result)

        self._start("looking for images", work, deliver)

    def accept_changed(self, *, on_done: Callable[[tuple[str, ...]], None] | None = None) -> None:
        """Take the files of images that were replaced as they are now; a job.

        Labels stay as they are; predictions of such images are removed. ImageError where a file
        has another size than before.
        """
        project = self._project
        ids = tuple(ref.id for ref in project.images.all())

        def work(token: CancelToken, report: ProgressCallback) -> tuple[str, ...]:
            tell = _make_reporter(token, report)
            return project.images.find_changed(ids, on_image=lambda number: tell(number, len(ids)))

        def deliver(result: object) -> None:
            if isinstance(result, tuple):
                self._keep_changed(result)
                if on_done is not None:
                    on_done(result)

        self._start("looking for images", work, deliver)

    def _keep_changed(self, image_ids: tuple[str, ...]) -> None:
        if not image_ids:
            raise NothingToDoError("no image was replaced: every file is as the project took it")
        project = self._project
        project.images.accept_changed(image_ids)
        project.predictions.drop_images(image_ids)
        project.events.add(
            "replaced images accepted",
            annotator=project.config.annotator,
            facts={"images": list(image_ids)},
        )
        self._apply(predicted=self._predicted())
        self.images_replaced.emit(image_ids)

    def note_missing(self, image_ids: Sequence[str]) -> None:
        """Take in which images are not where they should be now."""
        self._apply(missing=frozenset(image_ids))

    def _keep_relinked(self, relinked: Relinked) -> None:
        if relinked.found:
            self._project.images.move(relinked.found)
            self._project.events.add(
                "relinked",
                annotator=self._project.config.annotator,
                facts={"images": sorted(relinked.found)},
            )
        self._apply(missing=frozenset(relinked.missing))

    def add_images(
        self,
        folder: Path,
        *,
        group_pattern: str | None = None,
        on_done: Callable[[AddedImages], None] | None = None,
    ) -> None:
        """Add the images below ``folder`` that the project does not have; a job."""
        project = self._project

        def work(token: CancelToken, report: ProgressCallback) -> AddedImages:
            tell = _make_reporter(token, report)
            return add_images(project, folder, group_pattern=group_pattern, on_file=tell)

        def deliver(result: object) -> None:
            if isinstance(result, AddedImages):
                self._apply(image_ids=tuple(ref.id for ref in project.images.all()))
                if on_done is not None:
                    on_done(result)

        self._start("adding images", work, deliver)

    def set_spacing(self, spacing: float) -> None:
        """Say how many micrometres a pixel is in images whose files do not."""
        ids = self._project.images.set_spacing(spacing)
        self._project.events.add(
            "spacing",
            annotator=self._project.config.annotator,
            facts={"um_per_pixel": spacing, "images": len(ids)},
        )

    def tissue(self, image_id: str) -> NDArray[np.bool_]:
        """Return where an image shows tissue (h, w), at a low resolution."""
        return self._project.images.tissue(image_id)

    def set_tissue(self, image_id: str, mask: NDArray[np.bool_] | None) -> None:
        """Keep a corrected tissue mask (h, w); None goes back to the one that is computed."""
        annotator = self._project.config.annotator
        self._project.images.set_tissue(image_id, mask, annotator=annotator)

    # --- settings ----------------------------------------------------------------------------

    def configure(self, /, **changes: object) -> None:
        """Change settings of the project; ConfigError names what does not fit."""
        self._project.configure(**changes)
        config = self._project.config
        shown = {"measure": config.acquisition.measure} if "measure" in changes else {}
        self._apply(project=config.name, blind=config.blind, **shown)
        self._apply(predicted=self._predicted())


def _make_reporter(token: CancelToken, report: ProgressCallback) -> Callable[[int, int], None]:
    """Return what a search calls at each file: it reports, and stops at a word."""

    def tell(number: int, total: int) -> None:
        token.check()
        report(number, total, "")

    return tell
