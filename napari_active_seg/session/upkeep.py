"""Care of a project: its classes, its settings, where its images are and where tissue is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.errors import BusyError, NothingToDoError
from napari_active_seg.project import Project, Relinked, find_moved_images
from napari_active_seg.regions import ClassBook
from napari_active_seg.session.adding import AddedImages, add_images
from napari_active_seg.session.state import SessionState

__all__ = ["Upkeep"]


class Upkeep:
    """Verbs that change the project and not its labels; ``apply`` changes the session's state."""

    def __init__(
        self,
        project: Project,
        state: Callable[[], SessionState],
        apply: Callable[..., None],
        *,
        flush: Callable[[], None],
        predicted: Callable[[], frozenset[str]],
    ) -> None:
        self._project = project
        self._state = state
        self._apply = apply
        self._flush = flush
        self._predicted = predicted

    # --- classes -----------------------------------------------------------------------------

    def add_class(self, name: str, colour: str | None = None) -> None:
        """Add a class at the end; labels stay as they are."""
        self._change(lambda book: book.added(name, colour), f"added {name}")

    def rename_class(self, name: str, new_name: str) -> None:
        """Call a class otherwise."""
        self._change(lambda book: book.renamed(name, new_name), f"renamed {name} to {new_name}")

    def recolour_class(self, name: str, colour: str) -> None:
        """Give a class another colour (``#rrggbb``)."""
        self._change(lambda book: book.recoloured(name, colour), f"coloured {name} {colour}")

    def reorder_classes(self, names: Sequence[str]) -> None:
        """Put the classes into another order."""
        self._change(lambda book: book.reordered(names), f"ordered {', '.join(names)}")

    def merge_classes(self, name: str, into: str) -> None:
        """Count what is labelled ``name`` as ``into`` from now on."""
        self._change(lambda book: book.merged_into(name, into), f"merged {name} into {into}")

    def undo_class_change(self) -> str:
        """Take the latest change of classes back and return what it was."""
        self._refuse_while_working()
        self._flush()
        undone = self._project.classes.undo(annotator=self._project.config.annotator)
        self._show_classes()
        return undone

    def _change(self, change: Callable[[ClassBook], ClassBook], what: str) -> None:
        self._refuse_while_working()
        book = change(self._project.classes.current)
        self._flush()
        self._project.classes.change(book, what=what, annotator=self._project.config.annotator)
        self._show_classes()

    def _show_classes(self) -> None:
        self._apply(schema=self._project.schema, predicted=self._predicted())

    def _refuse_while_working(self) -> None:
        job = self._state().job
        if job is not None:
            raise BusyError(f"{job} is under way in the classes as they are; wait, or stop it")

    # --- images ------------------------------------------------------------------------------

    def relink(
        self, folder: Path, *, on_file: Callable[[int, int], None] | None = None
    ) -> Relinked:
        """Find missing images again below ``folder``, by what is in them."""
        images = self._project.images
        missing = images.missing()
        if not missing:
            raise NothingToDoError("no image is missing: every file is where it should be")
        relinked = find_moved_images(
            (images.ref(image_id) for image_id in missing), folder, on_file=on_file
        )
        if relinked.found:
            images.move(relinked.found)
            self._project.events.add(
                "relinked",
                annotator=self._project.config.annotator,
                facts={"images": sorted(relinked.found)},
            )
        self._apply(missing=frozenset(relinked.missing))
        return relinked

    def add_images(
        self,
        folder: Path,
        *,
        group_pattern: str | None = None,
        on_file: Callable[[int, int], None] | None = None,
    ) -> AddedImages:
        """Add the images below ``folder`` that the project does not have."""
        added = add_images(self._project, folder, group_pattern=group_pattern, on_file=on_file)
        self._apply(image_ids=tuple(ref.id for ref in self._project.images.all()))
        return added

    def tissue(self, image_id: str) -> NDArray[np.bool_]:
        """Return where an image shows tissue (h, w), at a low resolution."""
        return self._project.images.tissue(image_id)

    def set_tissue(self, image_id: str, mask: NDArray[np.bool_] | None) -> None:
        """Keep a corrected tissue mask (h, w); None goes back to the one that is computed."""
        annotator = self._project.config.annotator
        self._project.images.set_tissue(image_id, mask, annotator=annotator)

    # --- settings ----------------------------------------------------------------------------

    def configure(self, **changes: object) -> None:
        """Change settings of the project; ConfigError names what does not fit."""
        self._project.configure(**changes)
        self._apply(project=self._project.config.name, measure=self._project.config.measure)
