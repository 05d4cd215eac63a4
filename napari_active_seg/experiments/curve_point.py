"""One point of a study's curve."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["CurvePoint"]


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """One model of the study: what was labelled until then, and how it did on the test images."""

    strategy: str
    measure: str
    seed: int
    round: int
    regions: int
    labelled_pixels: int
    labelled_share: float
    scores: dict[str, float]
