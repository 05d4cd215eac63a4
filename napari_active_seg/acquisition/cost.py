"""What a region costs a person, and how information and cost make a value.

v = I^alpha / C^beta after "annotation cost-sensitive deep active learning"; beta = 0 gives
the plain order exactly.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.errors import ConfigError
from napari_active_seg.regions import Region

__all__ = ["CostModel", "value_per_cost"]


@dataclass(frozen=True, slots=True)
class CostModel:
    """A stated guess in seconds: a constant for finding one's way, and a rate per pixel.

    The defaults are a guess until an annotator's own seconds are known: 3 s to look, and 9 s
    for a square of 128 pixels a side.
    """

    base_s: float = 3.0
    seconds_per_pixel: float = 9.0 / 128**2

    def __post_init__(self) -> None:
        if self.base_s < 0 or self.seconds_per_pixel < 0 or self.seconds == (0.0, 0.0):
            raise ConfigError(
                "a cost model needs base_s >= 0 and seconds_per_pixel >= 0, not both 0, "
                f"got {self.base_s!r} and {self.seconds_per_pixel!r}"
            )

    @property
    def seconds(self) -> tuple[float, float]:
        """``(constant, per pixel)``."""
        return (self.base_s, self.seconds_per_pixel)

    def of(self, region: Region) -> float:
        """Return the expected seconds for ``region``."""
        return self.base_s + self.seconds_per_pixel * region.area


def value_per_cost(
    information: NDArray[np.float64], cost: float, *, alpha: float, beta: float
) -> NDArray[np.float64]:
    """Return I^alpha / C^beta for each ``information`` >= 0 at one ``cost`` > 0.

    alpha = 1 and beta = 0 return the information itself, unrounded.
    """
    if cost <= 0:
        raise ConfigError(f"a cost must be > 0, got {cost!r}")
    powered = information if alpha == 1.0 else information**alpha
    return powered if beta == 0.0 else powered / cost**beta
