"""The training loop: optimiser steps, held-out evaluations, and saving after each epoch."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Generic, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from napari_active_seg.errors import ModelError
from napari_active_seg.learning.module_modes import batch_norms, repeatable, seeded, training
from napari_active_seg.learning.training.distributed import (
    OwnRowsOfDropout,
    broadcast_from_rank0,
    check_no_batch_norm,
    n_ranks,
    rank,
    sum_gradients,
)
from napari_active_seg.learning.training.objectives import Objective
from napari_active_seg.learning.training.optimisation import (
    EMA,
    OptimiserConfig,
    StepInfo,
    build_optimiser,
    lr_factor,
)
from napari_active_seg.learning.training.resume import (
    ResumeState,
    TrainingCheckpoint,
    TrainingState,
)
from napari_active_seg.learning.training.validation import Best, HeldOut
from napari_active_seg.models.segmenter import TrainOutcome, TrainStep

__all__ = ["Training", "fit"]

N = TypeVar("N", bound=nn.Module)

#: Most evaluations of held-out labels.
_EVALUATIONS = 20
#: Number of latest steps whose time predicts the rest.
_TIMED = 20


def fit(
    network: N,
    objectives: Sequence[Objective],
    recipe: OptimiserConfig,
    *,
    per_epoch: int,
    seed: int,
    device: torch.device,
    on_step: Callable[[TrainStep], None],
    check_cancelled: Callable[[], None],
    averaged: EMA[N] | None = None,
    held_out: HeldOut[N] | None = None,
    keeper: TrainingCheckpoint | None = None,
    frozen_norms: bool = False,
) -> TrainOutcome:
    """Train ``network`` in place and return its losses; ``check_cancelled`` may raise to stop.

    The first objective's loss is reported. With ``held_out`` labels the state of their lowest
    loss is kept in the end.
    """
    run = Training(network, objectives, recipe, per_epoch=per_epoch, seed=seed, device=device)
    run.averaged, run.held_out = averaged, held_out
    run.keeper = keeper or TrainingCheckpoint(None, "")
    run.frozen_norms = frozen_norms
    return run.steps(on_step, check_cancelled)


class Training(Generic[N]):
    """One training: its parts, and the loop over them."""

    def __init__(
        self,
        network: N,
        objectives: Sequence[Objective],
        recipe: OptimiserConfig,
        *,
        per_epoch: int,
        seed: int,
        device: torch.device,
    ) -> None:
        self._network, self._objectives, self._recipe = network, objectives, recipe
        self._per_epoch, self._seed, self._device = per_epoch, seed, device
        self._learning: list[nn.Parameter] = [p for p in network.parameters() if p.requires_grad]
        for objective in objectives:
            self._learning += objective.parameters()
        self._optimiser = build_optimiser(self._learning, recipe)
        self._scaler = torch.amp.GradScaler(device.type, enabled=recipe.precision == "float16")
        self._best = Best(recipe.patience)
        self._losses: list[float] = []
        self._looked: list[tuple[int, float]] = []
        self.averaged: EMA[N] | None = None
        self.held_out: HeldOut[N] | None = None
        self.keeper = TrainingCheckpoint(None, "")
        self.frozen_norms = False

    def steps(
        self, on_step: Callable[[TrainStep], None], check_cancelled: Callable[[], None]
    ) -> TrainOutcome:
        """Run to the end, or until held-out labels have had nothing better for long."""
        rng = np.random.default_rng(self._seed)
        state = self._state(rng)
        began, times = time.perf_counter(), [0.0]
        with seeded(self._seed, self._device), self._in_training(), repeatable(self._device):
            check_no_batch_norm(self._network)
            resumed = self._resume(state)
            for step in range(resumed + 1, self._recipe.n_steps + 1):
                if self._best.is_over:
                    break
                check_cancelled()
                started = time.perf_counter()
                moment = StepInfo(step, self._recipe.n_steps, self._per_epoch)
                parts = self._step(rng, moment)
                self._evaluate_held_out(moment)
                if moment.ends_epoch and rank() == 0:
                    self.keeper.keep(state, self._facts(), self._best.state)
                times = [*times[-_TIMED:], time.perf_counter() - started]
                on_step(self._report(moment, parts, float(np.median(times[1:]))))
        self._restore_best()
        seconds = time.perf_counter() - began
        return TrainOutcome(tuple(self._losses), seconds, resumed, tuple(self._looked))

    def _step(self, rng: np.random.Generator, moment: StepInfo) -> dict[str, float]:
        """Move the weights once and return what the parts of the objective were."""
        factor = lr_factor(self._recipe.schedule, (moment.step - 1) / self._recipe.n_steps)
        for group in self._optimiser.param_groups:
            group["lr"] = self._recipe.learning_rate * factor
        total: Tensor | None = None
        parts: dict[str, float] = {}
        with self._autocast(), OwnRowsOfDropout() if n_ranks() > 1 else nullcontext():
            for objective in self._objectives:
                terms = objective.terms(rng, moment)
                total = terms.total if total is None else total + terms.total
                parts |= terms.parts
        if total is None:
            raise ModelError("a training needs something to make smaller")
        self._optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(self._scaler.scale(total))
        sum_gradients(self._learning)
        self._scaler.step(self._optimiser)
        self._scaler.update()
        for objective in self._objectives:
            objective.after_step()
        if self.averaged is not None:
            self.averaged.update(self._network, moment.step)
        self._losses.append(parts["loss"])
        if not np.isfinite(parts["loss"]):
            raise ModelError(
                f"the loss became {parts['loss']} at step {moment.step}; the model in use stays. "
                "Train with a lower learning rate, or in float32"
            )
        return parts

    def _evaluate_held_out(self, moment: StepInfo) -> None:
        """Score the held-out labels now and then, always after the last step."""
        n_steps = self._recipe.n_steps
        every = max(1, -(-n_steps // _EVALUATIONS)) if self._recipe.patience else n_steps
        if self.held_out is None or (moment.step % every and moment.step != n_steps):
            return
        judged = self._network if self.averaged is None else self.averaged.network
        loss = broadcast_from_rank0(self.held_out.loss(judged))
        self._looked.append((moment.step, loss))
        self._best.look(loss, judged)

    def _restore_best(self) -> None:
        if self._best.state:
            self._network.load_state_dict(self._best.state)
        elif self.averaged is not None:
            self._network.load_state_dict(self.averaged.network.state_dict())

    def _report(self, moment: StepInfo, parts: dict[str, float], each_s: float) -> TrainStep:
        return TrainStep(
            moment.step,
            moment.n_steps,
            parts["loss"],
            epoch=moment.epoch,
            n_epochs=moment.n_epochs,
            seconds_left=each_s * (moment.n_steps - moment.step),
            parts={name: value for name, value in parts.items() if name != "loss"},
            held_out=self._looked[-1][1] if self._looked else None,
        )

    # --- resuming ----------------------------------------------------------------------------

    def _state(self, rng: np.random.Generator) -> TrainingState:
        modules: dict[str, nn.Module] = {"network": self._network}
        if self.averaged is not None:
            modules["averaged"] = self.averaged.network
        optimisers = [self._optimiser]
        for number, objective in enumerate(self._objectives):
            modules |= {f"auxiliary {number}.{i}": m for i, m in enumerate(objective.modules)}
            optimisers += objective.optimisers
        return TrainingState(modules, optimisers, rng, self._device)

    def _resume(self, state: TrainingState) -> int:
        """Restore the state of an interrupted training, and return how many steps it had made."""
        found = self.keeper.find(state)
        if found is None:
            return 0
        facts, best = found
        self._losses, self._looked = list(facts.losses), list(facts.held_out)
        self._best.loss, self._best.looks_since = facts.best_loss, facts.looks_since
        self._best.state = {name: value.to(self._device) for name, value in best.items()}
        return len(self._losses)

    def _facts(self) -> ResumeState:
        best = self._best
        return ResumeState(tuple(self._losses), tuple(self._looked), best.loss, best.looks_since)

    # --- modes -------------------------------------------------------------------------------

    @contextmanager
    def _in_training(self) -> Iterator[None]:
        with training(self._network):
            if self.frozen_norms:
                for layer in batch_norms(self._network):
                    layer.eval()
            yield

    def _autocast(self) -> torch.autocast | nullcontext[None]:
        if self._recipe.precision == "float32":
            return nullcontext()
        return torch.autocast(self._device.type, getattr(torch, self._recipe.precision))
