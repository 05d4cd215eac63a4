"""The classes of a project and their changes, which leave stored labels as they are.

The store keeps a *uid* per pixel, not a position. A class keeps its uid whatever happens to its
name, colour or place, so that renaming, reordering and merging touch no label, and a change can
be undone: restore the earlier registry, and every label regains its meaning.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.errors import SchemaError
from napari_active_seg.regions.schema import LabelSchema
from napari_active_seg.regions.targets import UNLABELLED

__all__ = ["ClassRegistry"]


@dataclass(frozen=True, slots=True)
class ClassRegistry:
    """A schema, the stored uid of each class, and the classes that were merged into others.

    ``uids[k]`` is stored for position k; ``merged`` pairs a uid that has no class of its own any
    more with the uid whose class took it in. No uid is ever given twice.
    """

    schema: LabelSchema
    uids: tuple[int, ...]
    merged: tuple[tuple[int, int], ...] = ()
    next_uid: int = 0

    @staticmethod
    def new(schema: LabelSchema) -> ClassRegistry:
        """Return the registry of a new project."""
        return ClassRegistry(schema, tuple(range(len(schema))), (), len(schema))

    # --- changes -----------------------------------------------------------------------------

    def add_class(self, name: str, colour: str | None = None) -> ClassRegistry:
        """Return the registry with one more class at the end."""
        if self.next_uid >= UNLABELLED:
            raise SchemaError(
                f"a project can have {UNLABELLED} classes in all its life; they are used up"
            )
        names = (*self.schema.names, name)
        fresh = LabelSchema.from_names(names).colours[-1] if colour is None else colour
        schema = LabelSchema(names, (*self.schema.colours, fresh))
        uids = (*self.uids, self.next_uid)
        return replace(self, schema=schema, uids=uids, next_uid=self.next_uid + 1)

    def rename_class(self, name: str, new_name: str) -> ClassRegistry:
        """Return the registry with another name for the class ``name``."""
        names = list(self.schema.names)
        names[self.schema.index(name)] = new_name
        return replace(self, schema=LabelSchema(tuple(names), self.schema.colours))

    def recolour_class(self, name: str, colour: str) -> ClassRegistry:
        """Return the registry with another colour (``#rrggbb``) for the class ``name``."""
        colours = list(self.schema.colours)
        colours[self.schema.index(name)] = colour
        return replace(self, schema=LabelSchema(self.schema.names, tuple(colours)))

    def reorder_classes(self, names: Sequence[str]) -> ClassRegistry:
        """Return the registry with its classes in the order of ``names``, which names each once."""
        if sorted(names) != sorted(self.schema.names):
            raise SchemaError(
                f"a new order names each class once: {', '.join(self.schema.names)}; "
                f"got {', '.join(names) or 'none'}"
            )
        order = [self.schema.index(name) for name in names]
        return self._select(order)

    def merge_classes(self, name: str, into: str) -> ClassRegistry:
        """Return the registry with the class ``name`` merged into the class ``into``."""
        gone, target = self.schema.index(name), self.schema.index(into)
        if gone == target:
            raise SchemaError(f"class {name!r} cannot be merged into itself; name two classes")
        book = self._select([k for k in range(len(self.uids)) if k != gone])
        return replace(book, merged=(*self.merged, (self.uids[gone], self.uids[target])))

    def _select(self, order: Sequence[int]) -> ClassRegistry:
        schema = LabelSchema(
            tuple(self.schema.names[k] for k in order), tuple(self.schema.colours[k] for k in order)
        )
        return replace(self, schema=schema, uids=tuple(self.uids[k] for k in order))

    # --- labels ------------------------------------------------------------------------------

    def get_position(self, uid: int) -> int | None:
        """Return the current position of the class of a stored ``uid``; None without a class."""
        into = dict(self.merged)
        while uid not in self.uids and uid in into:
            uid = into[uid]
        return self.uids.index(uid) if uid in self.uids else None

    def to_target(self, stored: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the target of stored uids; a uid without a class is not labelled."""
        return self._table()[stored]

    def to_stored(
        self, target: NDArray[np.uint8], before: NDArray[np.uint8] | None = None
    ) -> NDArray[np.uint8]:
        """Return the uids to store for ``target``.

        Where ``before`` (the uids stored last) means the same class, its uid stays: painting
        next to a merged class does not make the merge final.
        """
        table = np.full(256, UNLABELLED, np.uint8)
        table[: len(self.uids)] = self.uids
        stored: NDArray[np.uint8] = table[target]
        if before is not None:
            np.copyto(stored, before, where=self.to_target(before) == target)
        return stored

    def _table(self) -> NDArray[np.uint8]:
        table = np.full(256, UNLABELLED, np.uint8)
        for uid in range(self.next_uid):
            position = self.get_position(uid)
            if position is not None:
                table[uid] = position
        return table
