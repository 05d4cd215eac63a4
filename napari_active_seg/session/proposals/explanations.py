"""Turn selected candidates into regions of the queue, each with its reason."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from napari_active_seg.acquisition import (
    Candidate,
    RegionKind,
    ScoredRegion,
    reason_for_cost,
    reason_for_covering,
    reason_for_drawn,
    reason_for_likeness,
    reason_for_uncertain,
)
from napari_active_seg.errors import ImageError
from napari_active_seg.regions import MaskedRegion
from napari_active_seg.session.proposals.region_reader import RegionReader

__all__ = ["Reasons"]

_log = logging.getLogger(__name__)
#: Labelled places that a proposal is compared with for its reason, the latest.
_COMPARED = 60
_WHY = {
    RegionKind.INITIAL: "there is no model yet",
    RegionKind.RANDOM: "the strategy draws at random",
    RegionKind.CONTROL: "a control, on which the model is measured before it learns from it",
    RegionKind.VALIDATION: "validation, never trained on, so that models can be compared",
    RegionKind.TEST: "test, never trained on or chosen by",
}


@dataclass(frozen=True, slots=True)
class Reasons:
    """Explains regions: ``labelled`` are finished places to compare with, none without a model.

    Costs are given as a ``guess`` or as learned, with the ``error`` that they had before.
    """

    reader: RegionReader
    classes: tuple[str, ...]
    labelled: tuple[MaskedRegion, ...]
    guess: bool
    error: float | None = None

    def scored(self, taken: Sequence[tuple[Candidate, RegionKind]]) -> tuple[ScoredRegion, ...]:
        """Return regions with their reasons."""
        chosen = [one.place for one, kind in taken if kind is RegionKind.CHOSEN]
        likeness = self._likeness(chosen)
        return tuple(
            ScoredRegion(
                one.region,
                information=one.information,
                cost=one.seconds,
                reason=self._reason(one, kind, likeness.get(one.place, "")),
                kind=kind,
                draw_probability=one.chance,
                drawn_from=one.drawn_from,
                shape=one.place.shape,
            )
            for one, kind in taken
        )

    def _reason(self, one: Candidate, kind: RegionKind, likeness: str) -> str:
        parts = [reason_for_cost(one.seconds, guess=self.guess, error=self.error)]
        if kind is RegionKind.CHOSEN:
            parts.insert(0, likeness)
            prediction = self.reader.load_prediction(one.region.image_id)
            if prediction is not None:
                moments = prediction.moments
                place = one.place.coarser(prediction.step, moments.shape)
                said = reason_for_uncertain(moments, place, self.classes)
                parts.insert(0, said)
        elif one.stands_for > 0:
            parts.insert(0, reason_for_covering(one.stands_for, why=_WHY[kind]))
        elif one.drawn_from:
            parts.insert(0, reason_for_drawn(one.drawn_from, why=_WHY[kind]))
        else:
            parts.insert(0, f"drawn at random: {_WHY[kind]}")
        return "; ".join(part for part in parts if part)

    def _likeness(self, places: Sequence[MaskedRegion]) -> dict[MaskedRegion, str]:
        """Describe how different each place is from labelled ones."""
        labelled = self.labelled[-_COMPARED:]
        if len(labelled) < 3 or not places:
            return {}
        try:
            seen = self.reader.embeddings([*places, *labelled])
        except ImageError as error:
            _log.warning("not compared with what is labelled: %s", error)
            return {}
        known = seen[len(places) :]
        pairs = zip(places, seen, strict=False)
        return {place: reason_for_likeness(row, known) for place, row in pairs}
