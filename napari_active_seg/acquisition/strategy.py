"""Strategies by name: how windows are chosen, whatever measure feeds them."""

from __future__ import annotations

from dataclasses import dataclass, replace

from napari_active_seg.errors import ConfigError, did_you_mean
from napari_active_seg.uncertainty import measure_named

__all__ = ["STRATEGIES", "Strategy", "strategy_named"]


@dataclass(frozen=True, slots=True)
class Strategy:
    """measure x window x cost: everything that decides which regions come back.

    ``size`` 0 stands for the project's region size, ``stride`` 0 for a quarter of it. ``overlap``
    is faithful to the paper, whose regions of one round may overlap. ``random`` draws uniformly
    and asks no model.
    """

    name: str
    measure: str = "bald"
    size: int = 0
    stride: int = 0
    overlap: bool = False
    alpha: float = 1.0
    beta: float = 0.0
    random: bool = False

    def __post_init__(self) -> None:
        measure_named(self.measure)
        if self.size != 0 and self.size < 8:
            raise ConfigError(f"size must be 8 pixels or more, got {self.size}")
        if self.stride < 0:
            raise ConfigError(f"stride must be 0 (a quarter of size) or more, got {self.stride}")
        if self.alpha < 0 or self.beta < 0:
            raise ConfigError(f"alpha and beta must be 0 or more, got {self.alpha} and {self.beta}")

    @property
    def step(self) -> int:
        """Pixels from one window to the next."""
        return self.stride or max(1, self.size // 4)

    def with_changes(
        self,
        *,
        measure: str | None = None,
        size: int | None = None,
        stride: int | None = None,
        default_size: int = 128,
    ) -> Strategy:
        """Return the strategy with what is not None replaced, and a size where it has none."""
        if size == 0:
            raise ConfigError("size must be 8 pixels or more, got 0")
        return replace(
            self,
            measure=self.measure if measure is None else measure,
            size=(self.size or default_size) if size is None else size,
            stride=self.stride if stride is None else stride,
        )


#: Strategies by the name that the command line, the desktop and stored proposals use.
STRATEGIES: dict[str, Strategy] = {
    s.name: s
    for s in (
        Strategy("uncertain-regions"),
        Strategy("faithful-regions", size=150, stride=30, overlap=True),
        Strategy("random-regions", random=True),
    )
}


def strategy_named(name: str) -> Strategy:
    """Return the strategy called ``name``, or raise ConfigError with the known names."""
    if name not in STRATEGIES:
        raise ConfigError(f"no strategy {name!r}: {did_you_mean(name, STRATEGIES)}")
    return STRATEGIES[name]
