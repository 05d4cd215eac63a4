"""Regions that a person places by hand, where the prediction is wrong or nothing was proposed.

They train like any other region. No model is measured on them and no estimate counts them, since
a person chose their places by what is seen there.
"""

from __future__ import annotations

from dataclasses import replace

from napari_active_seg.acquisition import (
    CHOSEN_BY_HAND,
    ClassMaps,
    RegionKind,
    ScoredRegion,
    box_between,
    fit_between,
    get_cost,
    reason_for_cost,
    reason_for_uncertain,
    square_around,
)
from napari_active_seg.errors import BadInputError, BusyError, ImageError, NothingToDoError
from napari_active_seg.jobs import JobKind
from napari_active_seg.project import QueuedRegion, Split
from napari_active_seg.regions import MaskedRegion, Region, RegionState
from napari_active_seg.session.context import SessionContext
from napari_active_seg.session.navigation import Navigator
from napari_active_seg.session.prediction.service import PredictionService
from napari_active_seg.uncertainty import Prediction, get_measure

__all__ = ["ManualRegions"]

#: Jobs that choose places, and know only the regions that were there when they began.
_CHOOSING = frozenset({JobKind.PROPOSE, JobKind.RESELECT})


class ManualRegions:
    """Places and discards regions by hand."""

    def __init__(
        self, ctx: SessionContext, navigation: Navigator, predictions: PredictionService
    ) -> None:
        self._ctx, self._navigation, self._predictions = ctx, navigation, predictions

    # --- where -------------------------------------------------------------------------------

    def check_image(self, image_id: str) -> None:
        """Raise an error with the reason if no region may be placed by hand on an image."""
        self._ctx.project.check_writable()
        if image_id in self._ctx.state.missing:
            raise ImageError(f"the file of {image_id} is missing; find it again, then label here")
        split = self._ctx.project.images.placement(image_id).split
        if split is not Split.POOL:
            raise NothingToDoError(
                f"{image_id} is set aside to measure the model ({split.display_name}), and regions "
                "that you choose there would bias its scores; choose an image of the pool"
            )

    def region_at(self, image_id: str, y: int, x: int) -> QueuedRegion | None:
        """Return the region of the queue that a pixel lies in, the smallest of several."""
        found = [
            queued
            for queued in self._ctx.state.queue
            if queued.region.image_id == image_id and _contains(queued.place, y, x)
        ]
        return min(found, key=lambda queued: queued.region.area, default=None)

    def fit_square(self, image_id: str, y: int, x: int) -> MaskedRegion:
        """Return the free part of a square of the project's region size about a pixel."""
        shape = self._shape_around(image_id, y, x)
        size = self._ctx.project.config.region_size
        wanted = square_around(image_id, shape, y, x, size=size)
        return fit_between(wanted, self._taken(image_id), keep=(y, x), shape=shape)

    def fit_box(self, image_id: str, start: tuple[int, int], end: tuple[int, int]) -> MaskedRegion:
        """Return the free part of a box from one pixel (y, x) to another, with the first one."""
        shape = self._shape_around(image_id, *start)
        wanted = box_between(image_id, shape, start, end)
        return fit_between(wanted, self._taken(image_id), keep=start, shape=shape)

    def _shape_around(self, image_id: str, y: int, x: int) -> tuple[int, int]:
        shape = self._ctx.project.images.ref(image_id).shape
        if not (0 <= y < shape[0] and 0 <= x < shape[1]):
            raise BadInputError(
                f"y {y}, x {x} lies outside {image_id} ({shape[0]} x {shape[1]} pixels): choose a "
                "place inside the image"
            )
        return shape

    def _taken(self, image_id: str) -> list[MaskedRegion]:
        return [q.place for q in self._ctx.state.queue if q.region.image_id == image_id]

    # --- what is done ------------------------------------------------------------------------

    def add_region(
        self,
        image_id: str,
        y: int,
        x: int,
        *,
        size: int | None = None,
        height: int | None = None,
        width: int | None = None,
    ) -> str:
        """Queue a region of one's own with its first pixel at (y, x), select it, return its id.

        It is a square of ``size`` pixels (the project's region size by default), or ``height`` x
        ``width``. It trains like any other; no model is measured on it.
        """
        side = self._ctx.project.config.region_size if size is None else size
        region = Region(
            image_id, y, x, side if height is None else height, side if width is None else width
        )
        return self.add(MaskedRegion(region))

    def add(self, place: MaskedRegion) -> str:
        """Queue a place right behind the current region and select it; return its id."""
        self._check(place)
        state, annotator = self._ctx.state, self._ctx.project.config.annotator
        region_id = self._ctx.project.regions.add_manual(
            self._scored(place), after=state.region_id, annotator=annotator
        )
        self._ctx.update(queue=self._ctx.project.regions.queue())
        self._navigation.to_region(region_id)
        return region_id

    def is_untouched(self, region_id: str) -> bool:
        """Return whether a region was placed by hand and nothing was painted in it yet."""
        state = self._ctx.state
        queued = next((q for q in state.queue if q.id == region_id), None)
        return (
            queued is not None
            and queued.kind is RegionKind.MANUAL
            and queued.state is RegionState.PROPOSED
            and region_id not in state.unsaved
            and self._ctx.project.labels.latest(region_id) is None
        )

    def discard(self, region_id: str) -> None:
        """Take an untouched region out of the queue and go back to the region before it."""
        self._ctx.project.check_writable()
        if not self.is_untouched(region_id):
            raise NothingToDoError(
                f"region {region_id} is not an own region without labels, so it stays; skip it"
            )
        annotator = self._ctx.project.config.annotator
        self._ctx.project.regions.withdraw((region_id,), annotator=annotator)
        in_hand = self._ctx.state.region_id == region_id
        kept = {"region_id": None} if in_hand else {}
        self._ctx.update(queue=self._ctx.project.regions.queue(), **kept)
        if in_hand and self._navigation.can_go_back:
            self._navigation.back()

    def _check(self, place: MaskedRegion) -> None:
        region = place.region
        shape = self._ctx.project.images.ref(region.image_id).shape
        self.check_image(region.image_id)
        if self._ctx.state.job in _CHOOSING:
            raise BusyError(
                "regions are being chosen just now, and yours could overlap one of them; place it "
                "when that is done, or stop it"
            )
        if region.bottom > shape[0] or region.right > shape[1]:
            raise BadInputError(
                f"{region} does not lie inside its image of {shape[0]} x {shape[1]} pixels: give a "
                "place and a size that do"
            )
        fit_between(region, (), keep=(region.y, region.x), shape=shape)  # is it large enough?
        for queued in self._ctx.state.queue:
            if queued.place.overlaps(place):
                raise BadInputError(
                    f"{region} overlaps region {queued.id} at y {queued.region.y}, x "
                    f"{queued.region.x} ({queued.region.height} x {queued.region.width}): a pixel "
                    "has one label; choose a free place, or that region"
                )

    def _scored(self, place: MaskedRegion) -> ScoredRegion:
        """Return the region with its score and reason, where it was predicted."""
        region = place.region
        prediction = self._predictions.of(region.image_id)
        named, information, reasons = get_measure(self._ctx.state.measure), 0.0, [CHOSEN_BY_HAND]
        if prediction is not None and named.can_be_computed(prediction.moments):
            part = place.coarser(prediction.step, prediction.moments.shape)
            r = part.region
            inside = prediction.moments.crop(r.y, r.x, r.height, r.width)
            information = float(named.compute(inside)[part.mask].mean())
            whole = replace(part, region=Region.whole(r.image_id, r.shape))
            reasons.append(reason_for_uncertain(inside, whole, self._ctx.project.schema.names))
        cost = self._expected_seconds(place, prediction)
        reasons.append(reason_for_cost(cost, guess=True))
        return ScoredRegion(
            region, information, cost, "; ".join(reasons), RegionKind.MANUAL, shape=place.shape
        )

    def _expected_seconds(self, place: MaskedRegion, prediction: Prediction | None) -> float:
        model = get_cost(self._ctx.project.config.acquisition.cost or "area")
        if prediction is None:
            return model.least(place.pixels)
        region = place.region
        seen = ClassMaps(lambda: prediction.crop_classes(region))
        return model.of(
            MaskedRegion(Region.whole(region.image_id, region.shape), place.shape), seen
        )


def _contains(place: MaskedRegion, y: int, x: int) -> bool:
    region = place.region
    if not (region.y <= y < region.bottom and region.x <= x < region.right):
        return False
    return place.shape is None or bool(place.shape.mask[y - region.y, x - region.x])
