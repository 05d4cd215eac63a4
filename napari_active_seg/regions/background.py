"""Finding the background class of a schema by its name."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["find_background"]

#: Names of background classes, the clearest first.
_NAMES = (
    "background",
    "bg",
    "skin",
    "healthy skin",
    "normal skin",
    "healthy",
    "normal",
    "ground",
    "rest",
    "other",
    "others",
    "none",
    "outside",
)


def find_background(names: Sequence[str]) -> int:
    """Return the index of the background class: by its name, else the first class.

    >>> find_background(("nucleus", "Background"))
    1
    >>> find_background(("lesion", "hair"))
    0
    """
    folded = [name.strip().casefold().replace("_", " ").replace("-", " ") for name in names]
    return next((folded.index(name) for name in _NAMES if name in folded), 0)
