"""Where a person is in a project, and how to get to the next place."""

from __future__ import annotations

import numpy as np

from napari_active_seg.acquisition import RegionKind
from napari_active_seg.errors import NothingToDoError
from napari_active_seg.project import QueuedRegion
from napari_active_seg.regions import UNLABELLED, MaskedRegion, RegionState
from napari_active_seg.session.context import SessionContext
from napari_active_seg.session.prediction.service import PredictionService
from napari_active_seg.session.state import SessionState
from napari_active_seg.session.ui_state import UiStateFile
from napari_active_seg.uncertainty import get_measure

__all__ = ["Navigator"]

#: So many regions are remembered to go back to.
_MOST_STEPS = 200


class Navigator:
    """Goes from image to image and from region to region."""

    def __init__(
        self, ctx: SessionContext, predictions: PredictionService, bookmark: UiStateFile
    ) -> None:
        self._ctx, self._predictions = ctx, predictions
        self._steps: list[str] = []
        self.bookmark = bookmark

    def to_image(self, image_id: str) -> None:
        """Show another image; the current region is deselected if it lies elsewhere."""
        self._ctx.project.images.ref(image_id)
        state = self._ctx.state
        kept = {
            key: None if asked is None or asked.region.image_id != image_id else asked.id
            for key, asked in (("region_id", state.region), ("question_id", state.question))
        }
        self._go(image_id=image_id, **kept)

    def to_region(self, region_id: str) -> None:
        """Make a region, or a question about an image, the current one and go to its image."""
        queued = self._ctx.project.regions.get(region_id)
        before = self._ctx.state.current_id
        if before is not None and before != region_id:
            self._steps = [*self._steps[-_MOST_STEPS:], before]
        self._take(queued)

    def on(self) -> None:
        """Make the waiting region that follows the current one; none if all are answered.

        Questions about whole images come when no region waits.
        """
        following = self.following
        if following is None:
            self._go(region_id=None, question_id=None)
        else:
            self.to_region(following)

    @property
    def following(self) -> str | None:
        """The waiting region that follows the current one; None if all others are answered."""
        state = self._ctx.state
        waiting = [q.id for q in (*state.open_regions, *state.open_questions)]
        leaving = state.unsaved | {state.current_id}
        at = waiting.index(state.current_id) if state.current_id in waiting else None
        if at is None and state.current_id is not None:
            at = self._would_be_at(state, waiting)
        turned = waiting if at is None else waiting[at:] + waiting[:at]
        return next((i for i in turned if i not in leaving), None)

    @property
    def can_go_back(self) -> bool:
        """Whether there is a region to go back to."""
        state = self._ctx.state
        there = {queued.id for queued in (*state.queue, *state.questions)} - {state.current_id}
        return any(step in there for step in self._steps)

    def back(self) -> None:
        """Return to the region before this one."""
        state = self._ctx.state
        there = {queued.id for queued in (*state.queue, *state.questions)}
        while self._steps:
            before = self._steps.pop()
            if before in there and before != state.current_id:
                self._take(self._ctx.project.regions.get(before))
                return
        raise NothingToDoError("this is the first region that you came to; there is no way back")

    def to_most_uncertain(self) -> tuple[int, int]:
        """Return the most uncertain pixel (y, x) without a label of the image on screen.

        NothingToDoError without a prediction of the image.
        """
        state = self._ctx.state
        prediction = None if state.image_id is None else self._predictions.of(state.image_id)
        if prediction is None or state.image_id is None:
            raise NothingToDoError("there is no prediction of this image yet; train a model")
        values = get_measure(state.measure).compute(prediction.moments).copy()
        for queued in state.queue:
            here = queued.region.image_id == state.image_id
            if here and queued.state is RegionState.DONE:
                label = self._ctx.project.labels.latest(queued.id)
                if label is not None and (label.target != UNLABELLED).any():
                    told = MaskedRegion.of_mask(
                        state.image_id, label.target != UNLABELLED, label.region.y, label.region.x
                    ).coarser(prediction.step, prediction.moments.shape)
                    values[told.region.slices][told.mask] = -1
        if values.max() < 0:
            raise NothingToDoError("every pixel of this image is labelled already")
        y, x = np.unravel_index(int(values.argmax()), values.shape)
        middle = prediction.step // 2
        return int(y) * prediction.step + middle, int(x) * prediction.step + middle

    def _would_be_at(self, state: SessionState, waiting: list[str]) -> int:
        """Return the place among the waiting of a region that waits no more."""
        order = {q.id: k for k, q in enumerate((*state.queue, *state.questions))}
        own = order.get(state.current_id or "", 0)
        later = [k for k, i in enumerate(waiting) if order[i] > own]
        return 0 if state.blind or not later else later[0]

    def _take(self, queued: QueuedRegion) -> None:
        asks = queued.kind is RegionKind.IMAGE_QUESTION
        self._go(
            image_id=queued.region.image_id,
            region_id=None if asks else queued.id,
            question_id=queued.id if asks else None,
        )

    def _go(self, **place: str | None) -> None:
        self._ctx.update(**place)
        state = self._ctx.state
        self.bookmark.keep(image_id=state.image_id or "", region_id=state.region_id or "")
        self._predictions.predict_visible()
