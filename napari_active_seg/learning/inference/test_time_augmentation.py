"""The eight flips and turns of an image, and back."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["VIEWS", "View"]


@dataclass(frozen=True, slots=True)
class View:
    """A turn by quarters after an optional mirroring, of the last two axes."""

    mirrored: bool
    quarters: int

    def of(self, planes: Tensor) -> Tensor:
        """Apply the view to ``planes`` (..., H, W)."""
        seen = planes.flip(-1) if self.mirrored else planes
        return torch.rot90(seen, self.quarters, (-2, -1)).contiguous()

    def back(self, planes: Tensor) -> Tensor:
        """Undo the view on ``planes``."""
        turned = torch.rot90(planes, -self.quarters, (-2, -1))
        return turned.flip(-1) if self.mirrored else turned


#: The plain view comes first, then the mirrored one: few passes take the mildest.
VIEWS = tuple(View(mirrored, quarters) for quarters in (0, 2, 1, 3) for mirrored in (False, True))
