"""The record of one round of an arm: a line of an append-only file."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from pathlib import Path

from napari_active_seg._util.jsonl import add_line, read_lines
from napari_active_seg.errors import BadInputError

__all__ = ["ALL_LABELS", "RoundRecord", "append_record", "read_records"]

#: The arm of the full-label reference.
ALL_LABELS = "all labels"


@dataclass(frozen=True, slots=True)
class RoundRecord:
    """One model of a study: the labels that it had, and its scores on the test images.

    Shares are of the pixels of the pool whose truth is known. Validation is counted apart.
    ``reliability`` has a row (mean confidence, accuracy, pixels) for each bin that is not empty;
    ``losses`` are the mean training loss of each tenth of the steps. ``selected`` and ``rest``
    count pixels by ``uncertainty`` from 0 to ``bound``, as the model before saw them.
    """

    arm: str
    seed: int
    round: int
    regions: int
    images: int
    labelled_pixels: int
    labelled_share: float
    scores: dict[str, float]
    strategy: str = ""
    measure: str = ""
    family: str = ""
    validation_share: float = 0.0
    clicks: int = 0
    perimeter: int = 0
    seconds: float = 0.0
    reliability: tuple[tuple[float, float, int], ...] = ()
    losses: tuple[float, ...] = ()
    bound: float = 0.0
    selected: tuple[int, ...] = ()
    rest: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("reliability", "losses", "selected", "rest", "notes"):
            value = tuple(tuple(v) if isinstance(v, list) else v for v in getattr(self, name))
            object.__setattr__(self, name, value)


def append_record(path: Path, record: RoundRecord) -> None:
    """Append a record to a file; it is on disk when this returns."""
    add_line(path, asdict(record))


def read_records(path: Path) -> tuple[RoundRecord, ...]:
    """Return the records of a file in order; none if it does not exist."""
    try:
        return tuple(_record(facts) for facts in read_lines(path))
    except TypeError as error:
        raise BadInputError(f"{path} holds something else than records of a study") from error


def _record(raw: dict[str, object]) -> RoundRecord:
    known = {field.name for field in fields(RoundRecord)}
    return RoundRecord(**{key: value for key, value in raw.items() if key in known})  # type: ignore[arg-type]
