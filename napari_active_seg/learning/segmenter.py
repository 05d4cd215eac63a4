"""The torch side of the Segmenter protocol."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from napari_active_seg.errors import ModelError, NothingToDoError
from napari_active_seg.learning.batches import Batches, PixelBatches
from napari_active_seg.learning.checkpoints import save_checkpoint
from napari_active_seg.learning.networks import Network
from napari_active_seg.learning.networks.companions import Companions, LossPredictor
from napari_active_seg.learning.presets import Preset
from napari_active_seg.learning.sampling import Member, NetworkPasses, Sampler
from napari_active_seg.learning.trainer import fit
from napari_active_seg.sampling_plan import SamplingPlan
from napari_active_seg.segmenter import ImageOutputs, TrainExample, TrainOutcome, TrainStep
from napari_active_seg.training_plan import TrainingPlan

__all__ = ["TorchEnsemble", "TorchSegmenter"]


class _TorchModel:
    """What single models and ensembles have in common: facts about them, and what they say."""

    def __init__(
        self,
        members: Sequence[Member],
        device: torch.device,
        *,
        preset: str,
        classes: tuple[str, ...],
        origin: str,
    ) -> None:
        self._sampler = Sampler(members, device)
        self._draws_outlines = all(member.passes.network.has_contour for member in members)
        self._preset_name, self._classes, self._origin = preset, classes, origin

    @property
    def preset(self) -> str:
        """Name of the preset, of an ensemble that of its first member."""
        return self._preset_name

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names, in the order of the outputs."""
        return self._classes

    @property
    def origin(self) -> str:
        """The weights that it, or its first member, started from, in words."""
        return self._origin

    @property
    def draws_outlines(self) -> bool:
        """Whether the network, or each member, gives outlines."""
        return self._draws_outlines

    def predict(
        self, image: NDArray[np.uint8], *, plan: SamplingPlan, check_cancelled: Callable[[], None]
    ) -> ImageOutputs:
        """Return what passes over ``image`` (H, W, 3) uint8 say, as ``plan`` asks."""
        return self._sampler.outputs(image, plan, check_cancelled)

    def embed(
        self, image: NDArray[np.uint8], *, check_cancelled: Callable[[], None]
    ) -> NDArray[np.float32]:
        """Return a coarse map (D, h, w) whose mean over a place says what is seen there."""
        return self._sampler.embedding(image, SamplingPlan("single"), check_cancelled)


class TorchSegmenter(_TorchModel):
    """A network with its preset and classes, numpy in and out."""

    def __init__(
        self,
        network: Network,
        preset: Preset,
        classes: tuple[str, ...],
        device: torch.device,
        *,
        origin: str,
        companions: Companions | None = None,
    ) -> None:
        self._network = network.to(device).to(memory_format=torch.channels_last)
        self._companions = (companions or Companions()).to(device)
        self._preset = preset
        self._device = device
        self.member = Member(NetworkPasses(self._network, device), self._companions)
        super().__init__([self.member], device, preset=preset.name, classes=classes, origin=origin)

    def train(
        self,
        examples: Sequence[TrainExample],
        *,
        plan: TrainingPlan,
        on_step: Callable[[TrainStep], None],
        check_cancelled: Callable[[], None],
    ) -> TrainOutcome:
        """Learn from the labelled pixels of ``examples`` alone."""
        if not examples:
            raise NothingToDoError("nothing is labelled yet; finish a region first")
        batches = self._batches(examples)
        n_steps = self._preset.n_steps
        if plan.epochs is not None:
            n_steps = plan.epochs * batches.per_epoch
        predictor = LossPredictor.for_network(self._network) if plan.learned_loss else None
        self._companions.loss_predictor = predictor
        return fit(
            self._network,
            batches,
            n_steps=n_steps,
            learning_rate=self._preset.learning_rate,
            seed=plan.seed,
            device=self._device,
            on_step=on_step,
            check_cancelled=check_cancelled,
            loss_predictor=predictor,
        )

    def save(self, path: Path, *, facts: Mapping[str, str]) -> None:
        """Write a checkpoint with ``facts`` in its header."""
        save_checkpoint(
            path,
            self._network,
            companions=self._companions,
            preset=self.preset,
            classes=self._classes,
            facts={**facts, "origin": self._origin},
        )

    def _batches(self, examples: Sequence[TrainExample]) -> Batches:
        p = self._preset
        if self._network.pixelwise:
            return PixelBatches(self._network, examples, batch=p.batch, device=self._device)
        from napari_active_seg.learning.crops import CropBatches  # loads torchvision

        return CropBatches(self._network, examples, batch=p.batch, crop=p.crop, device=self._device)


class TorchEnsemble(_TorchModel):
    """Several segmenters that speak as one; what it says of a pixel is all their passes."""

    def __init__(self, members: Sequence[TorchSegmenter], device: torch.device) -> None:
        if not members:
            raise ModelError("an ensemble needs at least one model")
        first = members[0]
        if any(member.classes != first.classes for member in members):
            raise ModelError("the models of an ensemble answer in different classes")
        super().__init__(
            [member.member for member in members],
            device,
            preset=first.preset,
            classes=first.classes,
            origin=first.origin,
        )

    def train(
        self,
        examples: Sequence[TrainExample],
        *,
        plan: TrainingPlan,
        on_step: Callable[[TrainStep], None],
        check_cancelled: Callable[[], None],
    ) -> TrainOutcome:
        """Refuse: members are trained one by one."""
        raise ModelError("an ensemble does not learn; train its members one by one")

    def save(self, path: Path, *, facts: Mapping[str, str]) -> None:
        """Refuse: members are saved one by one."""
        raise ModelError("an ensemble is not saved; its members are")
