"""One arm of one seed, round by round; every finished round is a line of a file.

What is done is read from that file, so that a killed run resumes at its first unfinished round.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Generic, TypeVar

from napari_active_seg._util.jsonl import add_line
from napari_active_seg.studies.settings import BaseArmSettings

__all__ = ["RECORDS", "BaseRun", "OnRound", "arm_folder"]

#: The file of an arm's finished rounds in its folder.
RECORDS = "rounds.jsonl"
#: Receives a description of the round that starts.
OnRound = Callable[[str], None]
State = TypeVar("State")


def arm_folder(out: Path, arm: BaseArmSettings, seed: int) -> Path:
    """Return the folder of an arm and a seed."""
    return out / "arms" / arm.name / f"seed-{seed}"


class BaseRun(ABC, Generic[State]):
    """The rounds of one arm and one seed in a folder."""

    def __init__(self, folder: Path, label: str, seed: int) -> None:
        self.folder, self.label, self.seed = folder, label, seed

    @property
    @abstractmethod
    def records(self) -> Sequence[object]:
        """The finished rounds."""

    @property
    def last_round(self) -> int:
        """The number of the last round; round 0 has the first labels alone."""
        return 0

    @property
    def is_done(self) -> bool:
        """Whether every round is finished."""
        return len(self.records) > self.last_round

    @abstractmethod
    def open(self) -> AbstractContextManager[State]:
        """Prepare what all rounds need, and release it afterwards."""

    @abstractmethod
    def run_round(self, state: State, number: int) -> Mapping[str, Any] | None:
        """Run one round and return its record; None if nothing is left to label."""

    def run(self, on_round: OnRound) -> None:
        """Run the missing rounds; each is on disk before the next starts."""
        if self.is_done:
            return
        last, name = self.last_round, f"{self.label}, seed {self.seed}"
        on_round(name)
        with self.open() as state:
            for number in range(len(self.records), last + 1):
                if last:
                    on_round(f"{name}: round {number} of {last}")
                record = self.run_round(state, number)
                if record is None:
                    break
                add_line(self.folder / RECORDS, record)
