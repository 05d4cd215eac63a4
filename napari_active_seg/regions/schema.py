"""The classes of a project: names and colours, in the order of their target values."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from napari_active_seg.errors import SchemaError, did_you_mean

__all__ = ["LabelSchema"]

#: Okabe and Ito's palette, which colour-blind readers can distinguish; the first suits a
#: background.
_PALETTE = (
    "#56b4e9",
    "#d55e00",
    "#009e73",
    "#f0e442",
    "#cc79a7",
    "#0072b2",
    "#e69f00",
    "#999999",
)
_MOST_CLASSES = 255
#: Names of a class that covers whatever is of no interest.
_BACKGROUNDS = ("background", "ground", "other", "rest", "normal", "healthy", "skin")


@dataclass(frozen=True, slots=True)
class LabelSchema:
    """Class names and ``#rrggbb`` colours; position k is target value k.

    Parameters
    ----------
    names
        Names of 2 to 255 classes, which differ in more than case.
    colours
        A colour for each class.

    Raises
    ------
    SchemaError
        If names or colours are invalid.

    Examples
    --------
    >>> schema = LabelSchema.from_names(["background", "gland"])
    >>> schema.index("gland"), schema.background, len(schema)
    (1, 0, 2)
    """

    names: tuple[str, ...]
    colours: tuple[str, ...]

    def __post_init__(self) -> None:
        if not 2 <= len(self.names) <= _MOST_CLASSES:
            raise SchemaError(
                f"a project needs 2 to {_MOST_CLASSES} classes, got {len(self.names)}: "
                f"{', '.join(self.names) or 'none'}"
            )
        for name in self.names:
            if not name or name != name.strip():
                raise SchemaError(
                    f"class name {name!r} is empty or starts or ends with a space; "
                    "give names such as background,gland"
                )
        folded = [name.casefold() for name in self.names]
        twice = sorted({name for name in self.names if folded.count(name.casefold()) > 1})
        if twice:
            raise SchemaError(f"class name given twice: {', '.join(twice)}; each needs its own")
        if len(self.colours) != len(self.names):
            raise SchemaError(f"{len(self.names)} classes need as many colours")
        for colour in self.colours:
            if not re.fullmatch(r"#[0-9a-fA-F]{6}", colour):
                raise SchemaError(f"colour {colour!r} is not of the form #rrggbb")

    @staticmethod
    def from_names(names: Sequence[str]) -> LabelSchema:
        """Return a schema of ``names`` with colours from a colour-blind-safe palette."""
        colours = tuple(_PALETTE[i % len(_PALETTE)] for i in range(len(names)))
        return LabelSchema(tuple(names), colours)

    def __len__(self) -> int:
        return len(self.names)

    @property
    def background(self) -> int | None:
        """The class of everything of no interest; None where no name is one.

        That is a class called background, or else ground, other, rest, normal, healthy or skin;
        of two classes without such a name the first.
        """
        folded = [name.casefold() for name in self.names]
        known = next((folded.index(name) for name in _BACKGROUNDS if name in folded), None)
        return 0 if known is None and len(self) == 2 else known

    def index(self, name: str) -> int:
        """Return the target value of the class called ``name``."""
        if name not in self.names:
            raise SchemaError(f"no class {name!r}: {did_you_mean(name, self.names)}")
        return self.names.index(name)
