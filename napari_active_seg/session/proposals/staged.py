"""A proposal in stages: the first regions come before all images of the pool are predicted.

Predicting takes most of the time. The first regions are chosen from the first images, so that
labelling can begin. Then the other images are predicted one by one, each in a job of its own, and
regions that nobody has touched are replaced by those that the whole pool offers. At the end the
round holds what one proposal over the whole pool would have chosen next to the touched regions.
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
from napari_active_seg.jobs import JobKind, Work
from napari_active_seg.jobs.queue import JobRequest
from napari_active_seg.models.inference_options import InferenceOptions
from napari_active_seg.project import Project, QueuedRegion, Split
from napari_active_seg.regions import MaskedRegion
from napari_active_seg.session.context import SessionContext
from napari_active_seg.session.model_access.cache_key import prediction_key
from napari_active_seg.session.model_access.inference import inference_options
from napari_active_seg.session.prediction.task import (
    PredictedBefore,
    PredictionChoices,
    PredictionResult,
    predict_readable_images,
)
from napari_active_seg.session.proposals.inputs import (
    ProposalChoices,
    Stage,
    read_proposal_inputs,
    unpredicted_images,
)
from napari_active_seg.session.proposals.task import propose_from_part, propose_regions
from napari_active_seg.session.task_context import TaskContext

__all__ = ["StagedProposal", "images_of_first_stage"]

T = TypeVar("T")
_Rank = Callable[..., Proposal | None]
#: Images of the first stage where no share of the round sets how many fill it.
_FIRST_IMAGES = 4
#: Factor of images from one choice to the next, the last of which is from all of them.
_GROWTH = 4


def images_of_first_stage(project: Project, choices: ProposalChoices) -> tuple[str, ...] | None:
    """Return the images to predict before the first regions are proposed; None for one stage.

    Images that are predicted already belong to the first stage in any case. The others come in an
    order drawn by the seed. As many are taken as fill the round, each with the largest share that
    one image may have.
    """
    strategy, budget = choices.strategy, choices.budget
    if project.models.in_use() is None or not strategy.ranks:
        return None
    share = strategy.per_image_share
    enough = max(2, math.ceil(1 / share) if share > 0 else _FIRST_IMAGES)
    if budget.unit == "regions":
        enough = min(enough, max(2, int(budget.amount)))
    missing = _in_drawn_order(project, choices)
    n_pool = len(project.images.all(Split.POOL))
    n_first = max(0, enough - (n_pool - len(missing)))
    return tuple(missing[:n_first]) if len(missing) - n_first > 1 else None


def _in_drawn_order(project: Project, choices: ProposalChoices) -> list[str]:
    """Return the images that are not predicted yet in an order drawn by the seed."""
    missing = unpredicted_images(project, choices.strategy.measure)
    seed = project.config.seed if choices.seed is None else choices.seed
    n_pool, round_ = len(project.images.all(Split.POOL)), project.regions.last_round() + 1
    rng = np.random.default_rng((seed, round_, n_pool))
    return [missing[index] for index in rng.permutation(len(missing)).tolist()]


class StagedProposal:
    """Submits one stage of a proposal after the other.

    ``untouched`` returns the ids of chosen regions that nobody has touched, ``withdraw`` takes
    such regions out of the queue, and ``add`` puts a proposal into it.
    """

    def __init__(
        self,
        ctx: SessionContext,
        choices: ProposalChoices,
        first: Sequence[str],
        *,
        untouched: Callable[[], Collection[str]],
        withdraw: Callable[[Sequence[str]], Collection[str]],
        add: Callable[..., Sequence[QueuedRegion]],
    ) -> None:
        self._ctx, self._choices = ctx, choices
        self._untouched, self._withdraw, self._add = untouched, withdraw, add
        project = ctx.project
        self._model_and_options = self._read_model()
        waiting = _in_drawn_order(project, choices)
        self._first, self._waiting = tuple(first), waiting[len(first) :]
        pool = {ref.id for ref in project.images.all(Split.POOL)}
        self._ready = pool - set(self._waiting)
        self._ranks_at = _GROWTH * len(self._ready)
        self._total, self._seconds = len(waiting), 0.0
        self._provisional: dict[str, MaskedRegion] = {}
        self._kept: dict[str, MaskedRegion] = {}
        self._began = time.monotonic()

    def first_task(self) -> Callable[[TaskContext], Proposal | None]:
        """Return the task of the first stage."""
        stage = Stage(
            frozenset(self._ready),
            predicts=self._first,
            before=self._predicted_before(len(self._first)),
            note=f"the first regions come after image {len(self._first)}",
        )
        return partial(propose_from_part, choices=replace(self._choices, stage=stage))

    def take_first(self, proposal: Proposal | None) -> Proposal:
        """Put the first regions into the queue, submit the next stage, and return the first."""
        if self._first:
            self._seconds = time.monotonic() - self._began
        self._take(proposal)
        self._go_on()
        if proposal is not None:
            return proposal
        inputs = read_proposal_inputs(self._ctx.project, self._choices)
        return Proposal(
            round=inputs.round,
            regions=(),
            strategy=inputs.strategy.name,
            budget=0,
            seed=inputs.seed,
            model_id=None if inputs.model is None else inputs.model.id,
            config_hash=inputs.config_hash,
        )

    # --- stages ----------------------------------------------------------------------------------

    def _go_on(self) -> None:
        """Submit the next stage: predict another image, or choose again from all that are ready."""
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

        def prepare() -> Work[PredictionResult]:
            self._check_same_model()
            before = self._predicted_before(1)
            choices = PredictionChoices((image_id,), self._choices.strategy.measure, before=before)
            return self._ctx.work(partial(predict_readable_images, choices=choices))

        def deliver(result: PredictionResult) -> None:
            self._ready.add(image_id)
            self._seconds += result.seconds
            self._go_on()

        self._submit(prepare, deliver)

    def _rank(self, rank: _Rank, deliver: Callable[[Proposal | None], None]) -> None:
        def prepare() -> Work[Proposal | None]:
            self._check_same_model()
            untouched = set(self._untouched())
            self._kept = {i: p for i, p in self._provisional.items() if i not in untouched}
            stage = Stage(
                frozenset(self._ready),
                before=self._predicted_before(0),
                kept=tuple(self._kept.values()),
                draws=not self._waiting,
            )
            choices = replace(self._choices, stage=stage, instead_of=tuple(self._provisional))
            return self._ctx.work(partial(rank, choices=choices))

        self._submit(prepare, deliver)

    def _take_and_go_on(self, proposal: Proposal | None) -> None:
        self._take(proposal)
        self._go_on()

    def _submit(self, prepare: Callable[[], Work[T]], deliver: Callable[[T], None]) -> None:
        """Submit a stage before what waits, after what is urgent."""
        request = JobRequest(
            JobKind.PROPOSE, prepare, deliver, urgent=True, queueable=True, picklable=True
        )
        self._ctx.submit(request, reads_labels=False)

    def _predicted_before(self, n_now: int) -> PredictedBefore:
        """Return how much of all images was predicted before the next ``n_now``."""
        done = self._total - len(self._waiting) - n_now
        return PredictedBefore(done, self._seconds, self._total)

    def _read_model(self) -> tuple[str, InferenceOptions] | None:
        """Return the key of stored predictions now, and how the model in use predicts."""
        project = self._ctx.project
        model = project.models.in_use()
        if model is None:
            return None
        options = inference_options(project, measure=self._choices.strategy.measure, model=model)
        return prediction_key(project, model), options

    def _check_same_model(self) -> None:
        """Raise NothingToDoError where predictions of the earlier stages no longer hold."""
        if self._read_model() != self._model_and_options:
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
