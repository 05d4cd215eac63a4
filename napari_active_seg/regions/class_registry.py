"""The classes of a project through its changes: labels stay as they are, their meaning moves.

The store keeps a *uid* per pixel, not a position. A class keeps its uid whatever happens to its
name, colour or place, so that renaming, reordering and merging touch no label, and a change can
be undone: bring the book of before back, and every label means again what it meant.
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
    """A schema, what the store keeps for each of its classes, and which were merged away.

    ``uids[k]`` is stored for position k; ``merged`` pairs a uid that has no class of its own any
    more with the uid whose class took it in. No uid is ever given twice.
    """

    schema: LabelSchema
    uids: tuple[int, ...]
    merged: tuple[tuple[int, int], ...] = ()
    next_uid: int = 0

    @staticmethod
    def new(schema: LabelSchema) -> ClassRegistry:
        """Return the first book of a project."""
        return ClassRegistry(schema, tuple(range(len(schema))), (), len(schema))

    # --- changes -----------------------------------------------------------------------------

    def added(self, name: str, colour: str | None = None) -> ClassRegistry:
        """Return the book with one more class at the end."""
        if self.next_uid >= UNLABELLED:
            raise SchemaError(
                f"a project can have {UNLABELLED} classes in all its life; they are used up"
            )
        names = (*self.schema.names, name)
        fresh = LabelSchema.from_names(names).colours[-1] if colour is None else colour
        schema = LabelSchema(names, (*self.schema.colours, fresh))
        uids = (*self.uids, self.next_uid)
        return replace(self, schema=schema, uids=uids, next_uid=self.next_uid + 1)

    def renamed(self, name: str, new_name: str) -> ClassRegistry:
        """Return the book with another name for the class ``name``."""
        names = list(self.schema.names)
        names[self.schema.index(name)] = new_name
        return replace(self, schema=LabelSchema(tuple(names), self.schema.colours))

    def recoloured(self, name: str, colour: str) -> ClassRegistry:
        """Return the book with another colour (``#rrggbb``) for the class ``name``."""
        colours = list(self.schema.colours)
        colours[self.schema.index(name)] = colour
        return replace(self, schema=LabelSchema(self.schema.names, tuple(colours)))

    def reordered(self, names: Sequence[str]) -> ClassRegistry:
        """Return the book with its classes in the order of ``names``, which names each once."""
        if sorted(names) != sorted(self.schema.names):
            raise SchemaError(
                f"a new order names each class once: {', '.join(self.schema.names)}; "
                f"got {', '.join(names) or 'none'}"
            )
        order = [self.schema.index(name) for name in names]
        return self._kept(order)

    def merged_into(self, name: str, into: str) -> ClassRegistry:
        """Return the book in which what was ``name`` is ``into``."""
        gone, target = self.schema.index(name), self.schema.index(into)
        if gone == target:
            raise SchemaError(f"class {name!r} cannot be merged into itself; name two classes")
        book = self._kept([k for k in range(len(self.uids)) if k != gone])
        return replace(book, merged=(*self.merged, (self.uids[gone], self.uids[target])))

    def _kept(self, order: Sequence[int]) -> ClassRegistry:
        schema = LabelSchema(
            tuple(self.schema.names[k] for k in order), tuple(self.schema.colours[k] for k in order)
        )
        return replace(self, schema=schema, uids=tuple(self.uids[k] for k in order))

    # --- labels ------------------------------------------------------------------------------

    def position_of(self, uid: int) -> int | None:
        """Return where the class of a stored ``uid`` is now; None if no class has it."""
        into = dict(self.merged)
        while uid not in self.uids and uid in into:
            uid = into[uid]
        return self.uids.index(uid) if uid in self.uids else None

    def to_target(self, stored: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the target of stored uids; what no class claims is not labelled."""
        return self._table()[stored]

    def to_stored(
        self, target: NDArray[np.uint8], before: NDArray[np.uint8] | None = None
    ) -> NDArray[np.uint8]:
        """Return the uids to store for ``target``.

        Where ``before`` (the uids stored last) means the same class, its uid stays: painting
        beside a merged class does not make the merge final.
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
            position = self.position_of(uid)
            if position is not None:
                table[uid] = position
        return table
