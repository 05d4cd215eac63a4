"""The budget of a round, and tracking of what is spent."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.acquisition.pool_image import Candidate
from napari_active_seg.errors import ConfigError
from napari_active_seg.regions import MaskedRegion, make_mask

__all__ = ["BUDGET_UNITS", "Budget", "BudgetTracker", "Cost"]

#: What a budget may be counted in.
BUDGET_UNITS = ("regions", "pixels", "clicks", "minutes")
_SHORT = {"": "regions", "px": "pixels", "min": "minutes"}


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of some regions: their number, pixels, clicks and seconds."""

    regions: int = 0
    pixels: int = 0
    clicks: float = 0.0
    seconds: float = 0.0

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.regions + other.regions,
            self.pixels + other.pixels,
            self.clicks + other.clicks,
            self.seconds + other.seconds,
        )

    def in_unit(self, unit: str) -> float:
        """Return the amount in the unit of a budget."""
        if unit == "minutes":
            return self.seconds / 60
        return float(getattr(self, unit))

    @property
    def summary(self) -> str:
        """The expected cost, in one line."""
        text = f"{self.regions} region{'' if self.regions == 1 else 's'}, {self.pixels:,} pixels"
        if self.clicks:
            text += f", {self.clicks:.0f} clicks"
        minutes = self.seconds / 60
        return (
            f"{text}, about {self.seconds:.0f} s" if minutes < 2 else f"{text}, {minutes:.0f} min"
        )


@dataclass(frozen=True, slots=True)
class Budget:
    """An amount of regions, pixels, clicks or minutes.

    Parameters
    ----------
    amount
        How much may be spent, above 0.
    unit
        One of ``BUDGET_UNITS``.

    Raises
    ------
    ConfigError
        If the unit is unknown or the amount does not fit.
    """

    amount: float
    unit: str = "regions"

    def __post_init__(self) -> None:
        if self.unit not in BUDGET_UNITS:
            raise ConfigError(f"a budget is in {', '.join(BUDGET_UNITS)}, not {self.unit!r}")
        if not (0 < self.amount < float("inf")):
            raise ConfigError(f"a budget must be above 0, got {self.amount:g} {self.unit}")
        if self.unit == "regions" and self.amount != int(self.amount):
            raise ConfigError(f"a budget in regions is a whole number, got {self.amount:g}")

    @staticmethod
    def parse(text: str) -> Budget:
        """Parse a text such as ``8``, ``10min``, ``50000px`` or ``300 clicks``.

        Raises
        ------
        ConfigError
            If the text is not a positive amount with a known unit.

        Examples
        --------
        >>> Budget.parse("10min")
        Budget(amount=10.0, unit='minutes')
        """
        found = re.fullmatch(r"\s*([0-9.,]+)\s*([a-z]*)\s*", text.lower())
        unit = "" if found is None else _SHORT.get(found[2], found[2])
        try:
            amount = float(found[1].replace(",", "")) if found else float("nan")
        except ValueError:
            amount = float("nan")
        if not amount > 0 or unit not in BUDGET_UNITS:
            raise ConfigError(f"a budget is like 8, 10min, 50000px or 300clicks, got {text!r}")
        return Budget(amount, unit)

    def less(self, spend: Cost) -> float:
        """Return the amount that is left after ``spend``."""
        return self.amount - spend.in_unit(self.unit)

    def most_regions(self, *, least_pixels: int, least_seconds: float) -> int | None:
        """Return how many regions it can buy at most; None where that is unknown."""
        if self.unit == "regions":
            return int(self.amount)
        if self.unit == "pixels":
            return int(self.amount // max(least_pixels, 1))
        if self.unit == "minutes":
            return int(self.amount * 60 // least_seconds) if least_seconds > 0 else None
        return None

    def __str__(self) -> str:
        return f"{self.amount:g} {self.unit}"


class BudgetTracker:
    """What is spent of a budget, and how many places of each image and patient were taken.

    ``per_image_share`` limits what one image may take of the budget, 0 leaves it open. One region
    of each image is always allowed, and where nothing else is left the limit gives way, so that
    the budget is spent also in a pool of few images. ``drawn`` regions were paid before; they
    count towards what their images have taken.
    """

    def __init__(
        self,
        budget: Budget,
        *,
        spent: Cost | None = None,
        per_image: int = 0,
        per_patient: int = 0,
        per_image_share: float = 0.0,
        overlap: bool = False,
        drawn: Sequence[Candidate] = (),
    ) -> None:
        self.budget, self.spent = budget, spent or Cost()
        self._per_image, self._per_patient, self._overlap = per_image, per_patient, overlap
        self._places: dict[str, list[MaskedRegion]] = {}
        self._most_of_image = per_image_share * budget.amount
        self._of_image: dict[str, float] = {}
        for candidate in drawn:
            self._add_to_image(candidate, self._spend(candidate))
        self._images: dict[str, int] = {}
        self._patients: dict[str, int] = {}

    def allowed(
        self, candidates: Sequence[Candidate], left: NDArray[np.bool_]
    ) -> NDArray[np.bool_]:
        """Return which of the candidates that are ``left`` may be taken and paid."""
        found = left.copy()
        for index in np.flatnonzero(left):
            found[index] = self._allows(candidates[int(index)])
        return self._spread(candidates, found) if self._most_of_image > 0 else found

    def _spread(
        self, candidates: Sequence[Candidate], payable: NDArray[np.bool_]
    ) -> NDArray[np.bool_]:
        """Return which of the payable candidates keep to what one image may take.

        Where none does, those that exceed it least.
        """
        after = np.full(len(candidates), np.inf)
        for index in np.flatnonzero(payable):
            after[index] = self._of_image_with(candidates[int(index)])
        limit = max(self._most_of_image, float(after.min(initial=np.inf)))
        return payable & (after <= limit + 1e-9)

    def _of_image_with(self, candidate: Candidate) -> float:
        """Return what the image of a candidate would have taken; 0 for the first of an image."""
        before = self._of_image.get(candidate.region.image_id, 0.0)
        if before == 0:
            return 0.0
        return before + self._spend(candidate).in_unit(self.budget.unit)

    def _add_to_image(self, candidate: Candidate, spend: Cost) -> None:
        image_id, amount = candidate.region.image_id, spend.in_unit(self.budget.unit)
        self._of_image[image_id] = self._of_image.get(image_id, 0.0) + amount

    def take(self, candidate: Candidate) -> None:
        """Spend the cost of a candidate; pixels that were taken before are not paid again."""
        spend = self._spend(candidate)
        self.spent += spend
        self._add_to_image(candidate, spend)
        image_id = candidate.region.image_id
        self._images[image_id] = self._images.get(image_id, 0) + 1
        self._patients[candidate.patient] = self._patients.get(candidate.patient, 0) + 1
        self._places.setdefault(image_id, []).append(candidate.place)

    def _allows(self, candidate: Candidate) -> bool:
        if 0 < self._per_image <= self._images.get(candidate.region.image_id, 0):
            return False
        if 0 < self._per_patient <= self._patients.get(candidate.patient, 0):
            return False
        spend = self._spend(candidate).in_unit(self.budget.unit)
        return spend <= self.budget.less(self.spent) + 1e-9

    def _spend(self, candidate: Candidate) -> Cost:
        pixels = candidate.place.pixels
        if self._overlap:
            before = self._places.get(candidate.region.image_id, [])
            near = [place for place in before if place.overlaps(candidate.place)]
            if near:
                region = candidate.region
                shape = (
                    max(region.bottom, *(p.region.bottom for p in near)),
                    max(region.right, *(p.region.right for p in near)),
                )
                covered = make_mask(shape, near)[region.slices][candidate.place.mask]
                pixels -= int(covered.sum())
        return Cost(1, pixels, candidate.clicks, candidate.seconds)
