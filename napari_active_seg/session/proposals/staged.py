"""A proposal in stages: the first regions come before all images of the pool are predicted.

Predicting takes most of the time. The first regions are chosen from the first images, so that
labelling can begin. Then the other images are predicted one by one, each in a job of its own, and
regions that nobody has touched are replaced by those that the whole pool offers. At the end the
round holds what one proposal over the whole pool would have chosen beside the touched regions.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from functools import partial
from typing import TypeVar

import numpy as np

from napari_active_seg.acquisition import Proposal, RegionKind, ScoredRegion
from napari_active_seg.errors import NothingToDoError
from napari_active_seg.jobs import CancelToken, JobKind, Work
from napari_active_seg.jobs.job import ProgressCallback
from napari_active_seg.jobs.queue import JobFuture, JobRequest
from napari_active_seg.project import QueuedRegion
from napari_active_seg.regions import MaskedRegion
from napari_active_seg.session.prediction.task import (
    PredictedBefore,
    PredictRequest,
    PredictResponse,
    predict_readable_images,
)
from napari_active_seg.session.proposals.task import (
    ProposeRequest,
    propose_from_part,
    propose_regions,
)

__all__ = ["StagedProposal", "images_of_first_stage"]

T = TypeVar("T")
_Choose = Callable[[ProposeRequest, CancelToken, ProgressCallback], Proposal | None]
#: Images of the first stage where no share of the round tells how many fill it.
_FIRST_IMAGES = 4
#: Regions are chosen again from so many times as many images, and at last from all of them.
_GROWTH = 4


def images_of_first_stage(request: ProposeRequest) -> tuple[str, ...] | None:
    """Return the images to predict before the first regions are proposed; None for one stage.

    Images that are predicted already belong to the first stage in any case. The others come in an
    order drawn by the seed. As many are taken as fill the round, each with the largest share that
    one image may have.
    """
    predict, strategy = request.predict, request.strategy
    if predict is None or not strategy.ranks:
        return None
    share = strategy.per_image_share
    enough = max(2, math.ceil(1 / share) if share > 0 else _FIRST_IMAGES)
    if request.budget.unit == "regions":
        enough = min(enough, max(2, int(request.budget.amount)))
    missing = _in_drawn_order(request)
    n_first = max(0, enough - (len(request.pool) - len(missing)))
    return tuple(missing[:n_first]) if len(missing) - n_first > 1 else None


def _in_drawn_order(request: ProposeRequest) -> list[str]:
    """Return the images that are not predicted yet in an order drawn by the seed."""
    missing = () if request.predict is None else request.predict.image_ids
    rng = np.random.default_rng((request.seed, request.round, len(request.pool)))
    return [missing[index] for index in rng.permutation(len(missing)).tolist()]


class StagedProposal:
    """Orders one stage of a proposal after the other.

    ``untouched`` returns the ids of chosen regions that nobody has touched, ``withdraw`` takes
    such regions out of the queue, ``add`` puts a proposal into it, and ``current`` returns how the
    model in use would be asked now.
    """

    def __init__(
        self,
        request: ProposeRequest,
        first: Sequence[str],
        *,
        submit: Callable[..., JobFuture[None]],
        untouched: Callable[[], Collection[str]],
        withdraw: Callable[[Sequence[str]], Collection[str]],
        add: Callable[..., Sequence[QueuedRegion]],
        current: Callable[[], PredictRequest | None],
    ) -> None:
        if request.predict is None:
            raise NothingToDoError("there is no model yet, so that nothing is predicted in stages")
        self._request, self._asked = request, request.predict
        self._submit_job, self._untouched, self._withdraw = submit, untouched, withdraw
        self._add, self._current = add, current
        waiting = _in_drawn_order(request)
        self._first, self._waiting = tuple(first), waiting[len(first) :]
        self._ready = {ref.id for ref in request.pool} - set(self._waiting)
        self._ranks_at = _GROWTH * len(self._ready)
        self._total, self._seconds = len(waiting), 0.0
        self._provisional: dict[str, MaskedRegion] = {}
        self._kept: dict[str, MaskedRegion] = {}
        self._began = time.monotonic()

    def first_work(self) -> Work[Proposal | None]:
        """Return the work of the first stage."""
        note = f"the first regions come after image {len(self._first)}"
        request = replace(self._part(), predict=self._predict(self._first, note))
        return partial(propose_from_part, request)

    def take_first(self, proposal: Proposal | None) -> Proposal:
        """Put the first regions into the queue, submit the next stage, and return the first."""
        if self._first:
            self._seconds = time.monotonic() - self._began
        self._take(proposal)
        self._go_on()
        request, model_id = self._request, self._asked.model_id
        return proposal or Proposal(
            round=request.round,
            regions=(),
            strategy=request.strategy.name,
            budget=0,
            seed=request.seed,
            model_id=model_id,
            config_hash=request.config_hash,
        )

    # --- stages ----------------------------------------------------------------------------------

    def _go_on(self) -> None:
        """Order the next stage: predict another image, or choose again from all that are ready."""
        if self._provisional and not self._replaceable():
            self._waiting.clear()  # the person has begun every region: none is to be replaced
        if not self._waiting:
            self._rank(propose_regions, self._take)
        elif len(self._ready) >= self._ranks_at:
            self._ranks_at *= _GROWTH
            self._rank(propose_from_part, self._take_and_go_on)
        else:
            self._predict_next()

    def _predict_next(self) -> None:
        image_id = self._waiting.pop(0)

        def prepare() -> Work[PredictResponse]:
            self._check_same_model()
            return partial(predict_readable_images, self._predict((image_id,)))

        def deliver(response: PredictResponse) -> None:
            self._ready.add(image_id)
            self._seconds += response.seconds
            self._go_on()

        self._submit(prepare, deliver)

    def _rank(self, work: _Choose, deliver: Callable[[Proposal | None], None]) -> None:
        def prepare() -> Work[Proposal | None]:
            self._check_same_model()
            untouched = set(self._untouched())
            self._kept = {i: p for i, p in self._provisional.items() if i not in untouched}
            request = replace(
                self._part(),
                predict=self._predict(()),
                kept=tuple(self._kept.values()),
                draws=not self._waiting,
            )
            return partial(work, request)

        self._submit(prepare, deliver)

    def _take_and_go_on(self, proposal: Proposal | None) -> None:
        self._take(proposal)
        self._go_on()

    def _submit(self, prepare: Callable[[], Work[T]], deliver: Callable[[T], None]) -> None:
        """Order a stage before what waits, after what is urgent."""
        order = JobRequest(
            JobKind.PROPOSE, prepare, deliver, urgent=True, queueable=True, picklable=True
        )
        self._submit_job(order, reads_labels=False)

    # --- requests --------------------------------------------------------------------------------

    def _part(self) -> ProposeRequest:
        """Return the request to choose from the images that are ready."""
        return replace(self._request, ranked=frozenset(self._ready), draws=False)

    def _predict(self, image_ids: tuple[str, ...], note: str = "") -> PredictRequest:
        """Return the request to predict some of the images, with how far all of them are."""
        done = self._total - len(self._waiting) - len(image_ids)
        before = PredictedBefore(done, self._seconds, self._total)
        return replace(self._asked, image_ids=image_ids, before=before, note=note)

    def _check_same_model(self) -> None:
        """Raise NothingToDoError where predictions of the earlier stages hold no more."""
        asked, now = self._asked, self._current()
        if now is None or (now.model_id, now.plan) != (asked.model_id, asked.plan):
            raise NothingToDoError(
                "the model in use has changed while regions were being chosen: the regions "
                "proposed so far stay. Propose again to choose with the model in use"
            )

    # --- the queue -------------------------------------------------------------------------------

    def _replaceable(self) -> list[str]:
        """Return the regions of this round that nobody has touched."""
        untouched = set(self._untouched())
        return [i for i in self._provisional if i in untouched and i not in self._kept]

    def _take(self, proposal: Proposal | None) -> None:
        """Put a proposal into the queue in place of the regions that nobody has touched."""
        if proposal is None:
            return  # the first images offered no place
        gone = set(self._withdraw(self._replaceable()))
        stay = {i: place for i, place in self._provisional.items() if i not in gone}
        late = [place for i, place in stay.items() if i not in self._kept]
        regions = _without_places(proposal.regions, late)
        added: Sequence[QueuedRegion] = ()
        if regions or gone:
            later = bool(self._provisional)
            added = self._add(replace(proposal, regions=regions), replaces=later)
        new = {q.id: q.place for q in added if q.kind is RegionKind.CHOSEN}
        self._provisional = {**stay, **new}


def _without_places(
    regions: Sequence[ScoredRegion], late: Sequence[MaskedRegion]
) -> tuple[ScoredRegion, ...]:
    """Return regions of a proposal, one less for each place that was touched while it was made.

    Those that overlap such a place go first, then the chosen ones that came last.
    """
    free = [one for one in regions if not any(one.place.overlaps(place) for place in late)]
    surplus = len(late) - (len(regions) - len(free))
    for one in [one for one in reversed(free) if one.kind is RegionKind.CHOSEN][: max(0, surplus)]:
        free.remove(one)
    return tuple(free)
