"""Strategies by name: measure x unit x cost x diversity x random shares."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, TypedDict

from napari_active_seg.acquisition.aggregation import AGGREGATES
from napari_active_seg.acquisition.cost import COSTS, LEARNED
from napari_active_seg.errors import ConfigError, did_you_mean
from napari_active_seg.uncertainty import check_measure

__all__ = [
    "CHANGEABLE",
    "DIVERSITIES",
    "DRAWS",
    "FIRST",
    "LEAST_SIZE",
    "STRATEGIES",
    "UNITS",
    "Strategy",
    "get_strategy",
]

UNITS = {
    "squares": "square windows, at a stride",
    "images": "whole images",
    "polygons": "areas of high uncertainty, outlined with few vertices",
    "superpixels": "areas of like colour (SLIC), about as large as a square",
    "crops": "each image cut into equal parts of about the size",
}
DIVERSITIES = {
    "none": "the best by value",
    "core-set": "each the furthest from all that is labelled or chosen (k-centre greedy)",
    "power": "value to the power of inverse_temperature, times chance (PowerBALD)",
    "softmax": "e to the value times inverse_temperature, times chance",
    "stratified": "two thirds by class, the class's share of the value, with noise (ClaSP PE)",
    "class-balanced": "by predicted class in turn, the best of each",
    "batch-bald": "the most joint information of a small batch (BatchBALD)",
    "coverage": "each the most similar to images unlike all that is labelled or chosen",
}
#: How the first regions are found, before there is a model.
FIRST = {
    "coverage": "so that together they represent as much of the pool as possible",
    "random": "at random over tissue",
}
DRAWS = {
    "none": "by value",
    "uniform": "at random over tissue",
    "foreground": "at random, two of three on predicted foreground",
    "even": "images at even steps through the pool, the best of each",
    "image": "an image at random, the best of it",
    "image-and-place": "an image at random, any of its places",
}
#: Sizes below this hold too little to see.
LEAST_SIZE = 8


@dataclass(frozen=True, slots=True)
class Strategy:
    """All settings that decide which regions are proposed.

    Parameters
    ----------
    name
        Name of the strategy.
    measure
        Uncertainty measure; empty for the one that the project shows.
    unit
        Kind of region, a key of ``UNITS``.
    size
        Side of a square in pixels; 0 for the project's region size.
    stride
        Pixels from one square to the next; 0 for a quarter of the size.
    overlap
        Whether regions of one round may overlap, as in the calibration paper.
    aggregate
        How a map is aggregated over a region, a key of ``AGGREGATES``.
    threshold
        Share of the measure's highest value above which a pixel counts as uncertain.
    top
        Share of the pool's pixels that count as uncertain.
    tolerance
        Pixels from a polygon to its outline.
    draws
        How regions are drawn at random, a key of ``DRAWS``.
    cost
        Cost model, a key of ``COSTS`` or ``LEARNED``.
    alpha, beta
        Exponents of information and of cost in the value of a region.
    diversity
        How diverse regions are selected, a key of ``DIVERSITIES``.
    share
        Share of the candidates, the best of them, that diversity selects from.
    inverse_temperature
        Inverse temperature of the random selection.
    control, validation
        Shares of all regions that are drawn as control regions, and on validation images.
    per_image, per_patient
        Most regions of one image or patient in a round; 0 for any number.
    per_image_share
        Largest share of a round from one image; 0 for no limit. Uniform draws of squares are
        stratified over the images instead, so that all places keep the same probability.
    first
        How regions are found before the first model, a key of ``FIRST``.
    auto
        Whether the recommended strategy is used.

    Raises
    ------
    ConfigError
        If a name is unknown or a number is out of range.
    """

    name: str
    measure: str = ""
    unit: str = "squares"
    size: int = 0
    stride: int = 0
    overlap: bool = False
    aggregate: str = "mean"
    threshold: float = 0.6
    top: float = 0.1
    tolerance: float = 10.0
    draws: str = "none"
    cost: str = "area"
    alpha: float = 1.0
    beta: float = 0.0
    diversity: str = "none"
    share: float = 0.25
    inverse_temperature: float = 1.0
    control: float = 0.1
    validation: float = 0.1
    per_image: int = 0
    per_patient: int = 0
    per_image_share: float = 0.0
    first: str = "coverage"
    auto: bool = False

    def __post_init__(self) -> None:
        self._check_names()
        self._check_numbers()

    def _check_names(self) -> None:
        if self.measure:
            check_measure(self.measure)
        for what, name, known in (
            ("unit", self.unit, UNITS),
            ("aggregate", self.aggregate, AGGREGATES),
            ("way of drawing", self.draws, DRAWS),
            ("cost", self.cost, {**COSTS, **LEARNED}),
            ("diversity", self.diversity, DIVERSITIES),
            ("way to begin", self.first, FIRST),
        ):
            if name not in known:
                raise ConfigError(f"no {what} {name!r}: {did_you_mean(name, known)}")

    def _check_numbers(self) -> None:
        if self.size != 0 and self.size < LEAST_SIZE:
            raise ConfigError(f"size must be {LEAST_SIZE} pixels or more, got {self.size}")
        if self.stride < 0:
            raise ConfigError(f"stride must be 1 pixel or more, got {self.stride}")
        for name in (
            "alpha",
            "beta",
            "tolerance",
            "inverse_temperature",
            "per_image",
            "per_patient",
        ):
            if not 0 <= getattr(self, name) < math.inf:
                raise ConfigError(f"{name} must be 0 or more, got {getattr(self, name)}")
        for name in ("threshold", "top", "share"):
            if not 0 < getattr(self, name) <= 1:
                raise ConfigError(
                    f"{name} must be above 0 and at most 1, got {getattr(self, name)}"
                )
        for name in ("control", "validation"):
            if not 0 <= getattr(self, name) <= 0.5:
                raise ConfigError(f"{name} must be 0 to 0.5, got {getattr(self, name)}")
        if not 0 <= self.per_image_share <= 1:
            raise ConfigError(f"per_image_share must be 0 to 1, got {self.per_image_share}")

    @property
    def step(self) -> int:
        """Pixels from one window to the next."""
        return self.stride or max(1, self.size // 4)

    @property
    def uses_model(self) -> bool:
        """Whether the choice needs predictions."""
        by_looks = self.diversity == "coverage" and self.draws == "none" and self.beta == 0
        return self.unit == "polygons" or not (self.draws == "uniform" or by_looks)

    @property
    def is_chance(self) -> bool:
        """Whether regions are drawn at random, whatever the prediction."""
        return self.draws in ("uniform", "foreground", "image-and-place")

    @property
    def draws_squares(self) -> bool:
        """Whether squares are drawn at random, each place with the same chance."""
        return self.unit == "squares" and self.draws == "uniform"

    @property
    def limits_images(self) -> bool:
        """Whether an image or a patient may give only a part of a round."""
        shares = self.per_image_share > 0 and self.unit != "images" and not self.draws_squares
        return shares or self.per_image > 0 or self.per_patient > 0

    @property
    def ranks(self) -> bool:
        """Whether the most valuable of several places of each image are taken, without chance.

        A first part of the images can then be ranked before the rest is predicted: no probability
        is recorded that would hold for that part alone.
        """
        by_chance = self.draws != "none" or self.diversity in ("power", "softmax", "stratified")
        return self.uses_model and not (self.auto or by_chance or self.unit == "images")

    @property
    def needs_all_candidates(self) -> bool:
        """Whether candidates of the whole pool are wanted, rather than only the best."""
        return self.diversity != "none" or self.draws != "none" or self.cost in LEARNED

    def with_changes(
        self, default_size: int = 128, default_measure: str = "bald", **changes: Any
    ) -> Strategy:
        """Return the strategy with some parts changed.

        Parameters
        ----------
        default_size, default_measure
            Used where the strategy has no size or measure of its own.
        **changes
            New values by the name of the part; None leaves a part as it is.

        Raises
        ------
        ConfigError
            If a part is unknown or a value does not fit.

        Examples
        --------
        >>> get_strategy("uncertain-regions").with_changes(size=64).size
        64
        """
        wanted = {key: value for key, value in changes.items() if value is not None}
        for key in wanted:
            if key not in CHANGEABLE:
                raise ConfigError(f"no part {key!r} of a strategy: {did_you_mean(key, CHANGEABLE)}")
        if wanted.get("size") == 0:
            raise ConfigError(f"size must be {LEAST_SIZE} pixels or more, got 0")
        if wanted.get("stride") == 0:
            raise ConfigError("stride must be 1 pixel or more, got 0")
        chosen = {"size": self.size or default_size, "measure": self.measure or default_measure}
        return replace(self, **{**chosen, **wanted})

    def with_parsed_changes(self, changes: Mapping[str, str]) -> Strategy:
        """Return the strategy with parts changed by text, such as ``{"unit": "crops"}``."""
        return self.with_changes(
            self.size or 128,
            self.measure or "bald",
            **{key: _value(key, word) for key, word in changes.items()},
        )


#: What may be changed of a strategy, by name.
CHANGEABLE = tuple(f.name for f in fields(Strategy) if f.name not in ("name", "auto"))


class StrategyParts(TypedDict, total=False):
    """Parts of a strategy to change, as keyword arguments; None leaves a part as it is."""

    measure: str | None
    unit: str | None
    size: int | None
    stride: int | None
    overlap: bool | None
    aggregate: str | None
    threshold: float | None
    top: float | None
    tolerance: float | None
    draws: str | None
    cost: str | None
    alpha: float | None
    beta: float | None
    diversity: str | None
    share: float | None
    coldness: float | None
    control: float | None
    validation: float | None
    per_image: int | None
    per_patient: int | None
    per_image_share: float | None
    first: str | None


def _value(key: str, word: str) -> Any:
    """Parse the value of a part of a strategy."""
    kinds = {f.name: str(f.type) for f in fields(Strategy)}
    kind = kinds.get(key, "str")
    try:
        if kind == "bool":
            return {"true": True, "yes": True, "false": False, "no": False}[word.lower()]
        return {"int": int, "float": float}.get(kind, str)(word)
    except (KeyError, ValueError) as error:
        wanted = {"bool": "yes or no", "int": "a whole number", "float": "a number"}[kind]
        raise ConfigError(f"{key} is {wanted}, got {word!r}") from error


#: At most a quarter of a round comes from one image, unless a paper has it otherwise.
_SPREAD: dict[str, Any] = {"per_image_share": 0.25}
_FAITHFUL: dict[str, Any] = {
    "size": 150,
    "stride": 30,
    "overlap": True,
    "control": 0.0,
    "validation": 0.0,
    "first": "random",
}
_IMAGES: dict[str, Any] = {
    "unit": "images",
    "control": 0.0,
    "validation": 0.0,
    "first": "random",
}
_POLYGONS: dict[str, Any] = {
    "unit": "polygons",
    "measure": "entropy",
    "aggregate": "count",
    "control": 0.0,
    "validation": 0.0,
    "first": "random",
}

#: Strategies by the name that the command line, the desktop and stored proposals use.
STRATEGIES: dict[str, Strategy] = {
    s.name: s
    for s in (
        Strategy("uncertain-regions", **_SPREAD),
        Strategy("auto", auto=True, **_SPREAD),
        Strategy("regions-per-minute", cost="learned", beta=1.0, **_SPREAD),
        Strategy("diverse-regions", diversity="core-set", **_SPREAD),
        Strategy("core-set-regions", diversity="core-set", share=1.0),
        Strategy("power-regions", diversity="power", share=1.0),
        Strategy("softmax-regions", diversity="softmax", share=1.0),
        Strategy("clasp-regions", measure="entropy", diversity="stratified", share=1.0),
        Strategy("balanced-regions", diversity="class-balanced", share=1.0, **_SPREAD),
        Strategy("batch-bald-regions", diversity="batch-bald"),
        Strategy("random-regions", draws="uniform", **_SPREAD),
        Strategy("covering-regions", diversity="coverage", **_SPREAD),
        Strategy("foreground-regions", draws="foreground"),
        Strategy("superpixels", unit="superpixels", **_SPREAD),
        Strategy("crops", unit="crops"),
        Strategy("crops-per-cost", unit="crops", cost="boundary", beta=0.5),
        # the calibration paper: Algorithm 2 and Algorithm 1
        Strategy("faithful-regions", **_FAITHFUL),
        Strategy("whole-images", aggregate="sum", **_IMAGES),
        # "parting with illusions about deep active learning": images and polygons
        Strategy("entropy-images", measure="entropy", aggregate="count", **_IMAGES),
        Strategy("ensemble-entropy-images", measure="expected-entropy", aggregate="count",
                 threshold=0.6, **_IMAGES),
        Strategy("learned-loss-images", measure="learned-loss", **_IMAGES),
        Strategy("discriminator-images", measure="discriminator", **_IMAGES),
        Strategy("random-images", draws="uniform", **_IMAGES),
        Strategy("entropy-polygons", **_POLYGONS),
        Strategy("random-image-entropy-polygon", draws="image", **_POLYGONS),
        Strategy("random-image-random-polygon", draws="image-and-place", **_POLYGONS),
        # "deep Bayesian active learning with image data": measures over images
        Strategy("bald-images", measure="bald", **_IMAGES),
        Strategy("variation-ratio-images", measure="variation-ratio", **_IMAGES),
        Strategy("max-entropy-images", measure="entropy", **_IMAGES),
        Strategy("mean-std-images", measure="mean-std", **_IMAGES),
        # "realistic evaluation of deep active learning"
        Strategy("equal-al-images", measure="equal-al", **_IMAGES),
        Strategy("core-set-images", diversity="core-set", share=1.0, **_IMAGES),
        Strategy("even-images", draws="even", **_IMAGES),
    )
}  # fmt: skip


def get_strategy(name: str) -> Strategy:
    """Return the strategy called ``name``.

    Parameters
    ----------
    name
        A key of ``STRATEGIES``.

    Raises
    ------
    ConfigError
        If no strategy has that name.

    Examples
    --------
    >>> get_strategy("power-regions").diversity
    'power'
    """
    if name not in STRATEGIES:
        raise ConfigError(f"no strategy {name!r}: {did_you_mean(name, STRATEGIES)}")
    return STRATEGIES[name]
