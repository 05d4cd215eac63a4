"""Which strategy chooses regions, and what holds in place of what the strategy itself defines."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Self

from pydantic import Field, model_validator

from napari_active_seg.acquisition import COSTS, DIVERSITIES, LEARNED, STRATEGIES, get_strategy
from napari_active_seg.models.options import OneOf, Options
from napari_active_seg.uncertainty import measure_titles

__all__ = ["StrategyOptions"]


class StrategyOptions(Options):
    """The strategy and the measure; None stands for the strategy's own value."""

    unset: ClassVar[str] = "strategy"

    strategy: Annotated[str, OneOf("strategy", lambda: STRATEGIES)] = Field(
        default="uncertain-regions", description="How regions are chosen."
    )
    measure: Annotated[str, OneOf("uncertainty measure", measure_titles)] = Field(
        default="bald",
        description="Measure of uncertainty that is shown, and that strategies without one use.",
    )
    cost: Annotated[str, OneOf("cost", lambda: (*COSTS, *LEARNED))] | None = Field(
        default=None, description="What a region costs to label."
    )
    alpha: float | None = Field(default=None, ge=0, description="Exponent of the information.")
    beta: float | None = Field(
        default=None, ge=0, description="Exponent of the cost; 0 leaves it out of the choice."
    )
    diversity: Annotated[str, OneOf("diversity", lambda: DIVERSITIES)] | None = Field(
        default=None, description="How the regions of a round are kept different from each other."
    )
    control: float | None = Field(
        default=None,
        ge=0,
        le=0.5,
        description="Share of control regions: drawn at random, and measured before they are "
        "learned.",
    )
    validation: float | None = Field(
        default=None, ge=0, le=0.5, description="Share of regions on validation images."
    )
    per_image: int | None = Field(
        default=None, ge=0, description="Most regions of a round from one image; 0: any number."
    )
    per_image_share: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="Largest share of a round from one image; 0: no limit.",
    )
    per_patient: int | None = Field(
        default=None, ge=0, description="Most regions of a round from one patient; 0: any number."
    )

    @property
    def overrides(self) -> dict[str, Any]:
        """What holds for any strategy, in place of what it defines."""
        chosen = {k: v for k, v in dict(self).items() if k not in ("strategy", "measure")}
        return {key: value for key, value in chosen.items() if value is not None}

    @model_validator(mode="after")
    def _fits_the_strategy(self) -> Self:
        get_strategy(self.strategy).with_changes(**self.overrides)
        return self
