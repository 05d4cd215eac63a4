"""Puts a training together: what it draws, what it makes smaller, and how it is stepped."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from napari_active_seg.errors import ConfigError, ModelError
from napari_active_seg.learning.inference.memory import out_of_memory
from napari_active_seg.learning.module_modes import seeded
from napari_active_seg.learning.networks import Network
from napari_active_seg.learning.networks.auxiliary_heads import (
    AuxiliaryHeads,
    Discriminator,
    LossPredictor,
)
from napari_active_seg.learning.presets import Preset
from napari_active_seg.learning.training.batches import Batches, PixelBatches
from napari_active_seg.learning.training.distributed import n_ranks
from napari_active_seg.learning.training.losses import balancing_weights, get_loss
from napari_active_seg.learning.training.objectives import Objective, Supervised
from napari_active_seg.learning.training.optimisation import EMA, OptimiserConfig
from napari_active_seg.learning.training.resume import TrainingCheckpoint
from napari_active_seg.learning.training.trainer import fit
from napari_active_seg.learning.training.validation import HeldOut, HeldOutCrops, HeldOutPixels
from napari_active_seg.models.segmenter import (
    ResumeTarget,
    TrainExample,
    TrainingData,
    TrainOutcome,
    TrainStep,
)
from napari_active_seg.models.training_options import TrainingOptions
from napari_active_seg.regions import UNLABELLED

__all__ = ["TrainingParts", "estimate_seconds", "train_network"]

#: Steps that are timed; the first, which warms up, is left out.
_PROBED = 4

#: Unlabelled squares for each labelled crop; a pixelwise network sees four small ones.
_UNLABELLED_OF_PIXELS, _SIDE_OF_PIXELS = 4, 64


@dataclass(frozen=True, slots=True, eq=False)
class TrainingParts:
    """A network and all that a training of it needs to know."""

    network: Network
    companions: AuxiliaryHeads
    preset: Preset
    n_classes: int
    device: torch.device
    data: TrainingData
    plan: TrainingOptions


def train_network(
    parts: TrainingParts,
    *,
    on_step: Callable[[TrainStep], None],
    check_cancelled: Callable[[], None],
    kept: ResumeTarget | None = None,
) -> TrainOutcome:
    """Train, with smaller batches and then smaller crops where memory runs out."""
    preset: Preset | None = parts.preset
    began = {k: v.detach().cpu().clone() for k, v in parts.network.state_dict().items()}
    notes: tuple[str, ...] = ()
    while preset is not None:
        tried = replace(parts, preset=preset)
        try:
            outcome = _train(tried, on_step, check_cancelled, kept)
            return replace(outcome, notes=notes)
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error) or n_ranks() > 1:
                raise
        parts.network.load_state_dict(began)
        preset = preset.smaller()
        if preset is not None:
            notes = (f"memory ran out: trained in batches of {_of(preset)}",)
        if parts.device.type == "cuda":
            torch.cuda.empty_cache()
    raise ModelError(
        f"there is not enough memory to train {parts.preset.name!r}, even with small batches and "
        "crops; the model in use stays. Close other programs, or train 'fast' or 'unet'"
    )


def _of(preset: Preset) -> str:
    if preset.crop == 0:
        return f"{preset.batch} pixels"
    return f"{preset.batch} crops of {preset.crop} x {preset.crop}"


def estimate_seconds(parts: TrainingParts) -> float:
    """Return how long a training would take, by running a few steps of it.

    Infinity where its memory does not suffice.
    """
    try:
        return _probed_seconds(parts)
    except (RuntimeError, MemoryError) as error:
        if not out_of_memory(error):
            raise
        return math.inf


def _probed_seconds(parts: TrainingParts) -> float:
    began = time.perf_counter()
    ends: list[float] = []
    learned_from, _ = _split(parts.data, hold_out=False)
    batches = _batches(parts, learned_from)
    recipe = _recipe(parts, batches)
    ready = time.perf_counter() - began
    with seeded(parts.plan.seed, parts.device):
        fit(
            parts.network,
            _objectives(parts, batches, None),
            replace(recipe, n_steps=_PROBED, patience=0),
            per_epoch=batches.per_epoch,
            seed=parts.plan.seed,
            device=parts.device,
            on_step=lambda _: ends.append(time.perf_counter()),
            check_cancelled=lambda: None,
        )
    each = float(np.median(np.diff(ends)))
    return ready + each * recipe.n_steps


def _train(
    parts: TrainingParts,
    on_step: Callable[[TrainStep], None],
    check_cancelled: Callable[[], None],
    kept: ResumeTarget | None,
) -> TrainOutcome:
    plan, network = parts.plan, parts.network
    patience = parts.preset.patience if plan.patience is None else plan.patience
    learned_from, held_out = _split(parts.data, hold_out=patience > 0 or plan.holds_out)
    batches = _batches(parts, learned_from)
    recipe = _recipe(parts, batches)
    keeper = None
    if kept is not None:
        signature = f"{kept.signature} {parts.preset.batch} {parts.preset.crop} {recipe}"
        keeper = TrainingCheckpoint(kept.path, signature)
    with seeded(plan.seed, parts.device):
        averaged = EMA(network, recipe.ema_decay) if recipe.ema_decay else None
        return fit(
            network,
            _objectives(parts, batches, averaged),
            recipe,
            per_epoch=batches.per_epoch,
            seed=plan.seed,
            device=parts.device,
            on_step=on_step,
            check_cancelled=check_cancelled,
            averaged=averaged,
            held_out=_held_out(parts, held_out),
            keeper=keeper,
            frozen_norms=plan.batch_norm == "frozen",
        )


def _split(data: TrainingData, *, hold_out: bool) -> tuple[list[TrainExample], list[TrainExample]]:
    """Split off the held-out labels: the validation regions, or else the spare ones."""
    everything = list(data.examples)
    if not hold_out:
        return everything, []
    validation = [e for e in data.held_out if _is_labelled(e)]
    if validation:
        return everything, validation
    holdout = [e for e in everything if e.holdout and _is_labelled(e)]
    rest = [e for e in everything if not e.holdout]
    return (rest, holdout) if holdout and any(map(_is_labelled, rest)) else (everything, [])


def _is_labelled(example: TrainExample) -> bool:
    return bool((example.target != UNLABELLED).any())


def _recipe(parts: TrainingParts, batches: Batches) -> OptimiserConfig:
    return parts.preset.recipe(
        parts.plan,
        per_epoch=batches.per_epoch,
        on_gpu=parts.device.type == "cuda",
        half="bfloat16" if _has_bfloat16() else "float16",
    )


def _has_bfloat16() -> bool:
    return torch.cuda.is_available() and torch.cuda.is_bf16_supported()


def _batches(parts: TrainingParts, examples: Sequence[TrainExample]) -> Batches:
    preset, even = parts.preset, parts.plan.class_balance == "sampling"
    device = parts.device
    if parts.network.pixelwise:
        return PixelBatches(
            parts.network, examples, batch=preset.batch, device=device, even_classes=even
        )
    from napari_active_seg.learning.training.augmentation import get_augmentation
    from napari_active_seg.learning.training.crops import CropBatches  # loads torchvision

    return CropBatches(
        parts.network,
        examples,
        batch=preset.batch,
        crop=preset.crop,
        device=device,
        augmentation=get_augmentation(parts.plan.augmentation),
        even_classes=even,
    )


def _held_out(parts: TrainingParts, examples: Sequence[TrainExample]) -> HeldOut[Network] | None:
    if not examples:
        return None
    if parts.network.pixelwise:
        return HeldOutPixels(parts.network, examples, parts.device)
    return HeldOutCrops(examples, parts.device)


def _objectives(
    parts: TrainingParts, batches: Batches, averaged: EMA[Network] | None
) -> Sequence[Objective]:
    plan, companions = parts.plan, parts.companions
    companions.loss_predictor = (
        LossPredictor.for_network(parts.network) if plan.learned_loss else None
    )
    weights = None
    if plan.class_balance == "weights":
        counts = torch.zeros(parts.n_classes)
        for example in parts.data.examples:
            seen = torch.from_numpy(example.target[example.target != UNLABELLED]).long()
            counts += torch.bincount(seen, minlength=parts.n_classes)
        weights = balancing_weights(counts).to(parts.device)
    supervised = Supervised(
        parts.network,
        batches,
        loss=get_loss(plan.loss),
        class_weights=weights,
        loss_predictor=companions.loss_predictor,
    )
    companions.discriminator = None
    if plan.semi_supervised == "off":
        return (supervised,)
    return (supervised, _from_unlabelled(parts, averaged))


def _from_unlabelled(parts: TrainingParts, averaged: EMA[Network] | None) -> Objective:
    from napari_active_seg.learning.training.augmentation import get_augmentation
    from napari_active_seg.learning.training.semi_supervised import (
        Adversarial,
        Consistency,
        PaintedCrops,
        UnlabelledCrops,
    )

    draw, plan, preset, network = parts.data.draw_window, parts.plan, parts.preset, parts.network
    if draw is None:
        raise ConfigError(
            f"{plan.semi_supervised!r} needs images without labels; add some to the pool"
        )
    if n_ranks() > 1:
        raise ConfigError("several processes learn from labels alone; leave unlabelled images off")
    count, side = preset.batch, preset.crop
    if network.pixelwise:
        count, side = _UNLABELLED_OF_PIXELS, _SIDE_OF_PIXELS
    augmentation = get_augmentation(plan.augmentation)
    if plan.semi_supervised == "consistency":
        crops = UnlabelledCrops(draw, count=count, side=side, augmentation=augmentation)
        teacher = network if averaged is None else averaged.network
        return Consistency(
            network,
            crops,
            teacher=teacher,
            threshold=plan.pseudo_label_threshold,
            device=parts.device,
        )
    painted = PaintedCrops(parts.data.examples, most=side, stride=network.stride)
    crops = UnlabelledCrops(draw, count=count, side=painted.side, augmentation=augmentation)
    discriminator = Discriminator.for_network(network, parts.n_classes)
    parts.companions.discriminator = discriminator
    return Adversarial(
        network,
        crops,
        painted,
        discriminator=discriminator,
        n_classes=parts.n_classes,
        threshold=min(plan.pseudo_label_threshold, 0.6),
        device=parts.device,
    )
