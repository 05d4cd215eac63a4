"""Measures that other packages bring, by an entry point of the group that is named here.

A project only *names* a measure. What the name stands for is decided by what is installed, and is
imported when it is first computed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.errors import BadInputError, ConfigError
from napari_active_seg.uncertainty.moments import Moments

__all__ = ["CheckedMeasure", "load_registered", "registered_measures"]

#: Under which entry points other packages register a measure.
_GROUP = "napari_active_seg.measures"


@dataclass(frozen=True, slots=True)
class CheckedMeasure:
    """A registered function whose map is checked before regions are ranked by it."""

    name: str
    function: Callable[[Moments], object]

    def __call__(self, moments: Moments) -> NDArray[np.float32]:
        """Return the map (H, W); BadInputError if the function fails or returns no such map."""
        try:
            found = np.asarray(self.function(moments), np.float32)
        except Exception as error:
            raise BadInputError(
                f"the measure {self.name!r} failed ({type(error).__name__}: {error}); correct its "
                "package, or choose another measure"
            ) from error
        if found.shape != moments.shape:
            raise BadInputError(
                f"the measure {self.name!r} returned the shape {found.shape} for an image of "
                f"{moments.shape}; return one number for each pixel"
            )
        if not np.isfinite(found).all():
            raise BadInputError(
                f"the measure {self.name!r} returned NaN or infinity; return finite numbers"
            )
        return found


def registered_measures() -> tuple[str, ...]:
    """Return the registered names, without importing their functions."""
    return tuple(sorted(_entry_points()))


def load_registered(name: str) -> object:
    """Import the registered object of a name; ConfigError if that fails."""
    try:
        return _entry_points()[name].load()
    except Exception as error:
        raise ConfigError(f"the measure {name!r} cannot be imported: {error}") from error


@cache
def _entry_points() -> dict[str, EntryPoint]:
    """Return the installed entry points; read once, since each move of the mouse gets a measure."""
    return {point.name: point for point in entry_points(group=_GROUP)}
