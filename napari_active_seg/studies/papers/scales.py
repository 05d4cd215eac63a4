"""How large a study of a paper is run."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["Scale"]


class Scale(StrEnum):
    """``full`` is the paper's setting as far as it is known; ``small`` fits two CPU cores."""

    FULL = "full"
    SMALL = "small"
