"""The torch side of the protocols Segmenter and TrainableSegmenter."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_active_seg.errors import ConfigError, ModelError, NothingToDoError
from napari_active_seg.learning.checkpoints import load_checkpoint, save_checkpoint
from napari_active_seg.learning.devices import leave_core_free
from napari_active_seg.learning.inference import Member, NetworkPasses, Sampler
from napari_active_seg.learning.module_modes import seeded
from napari_active_seg.learning.networks import Network, SmallUNet
from napari_active_seg.learning.networks.auxiliary_heads import (
    AuxiliaryHeads,
    Discriminator,
    LossPredictor,
)
from napari_active_seg.learning.networks.class_remapping import ClassRemapping
from napari_active_seg.learning.networks.preprocessing import IMAGENET, find_normalise
from napari_active_seg.learning.networks.registry import build_network
from napari_active_seg.learning.onnx_writer import input_multiple, write_onnx
from napari_active_seg.learning.presets import Preset, get_preset
from napari_active_seg.learning.training.build import (
    TrainingParts,
    estimate_seconds,
    train_network,
)
from napari_active_seg.learning.training.distributed import n_ranks
from napari_active_seg.models.inference_options import InferenceOptions
from napari_active_seg.models.segmenter import (
    ImageOutputs,
    ResumeTarget,
    TrainingData,
    TrainOutcome,
    TrainStep,
)
from napari_active_seg.models.training_options import TrainingOptions

__all__ = ["TorchEnsemble", "TorchSegmenter"]


class _TorchModel:
    """Base class of single models and ensembles: their facts and predictions."""

    def __init__(
        self,
        members: Sequence[Member],
        device: torch.device,
        *,
        preset: str,
        classes: tuple[str, ...],
        origin: str,
        with_window: bool,
    ) -> None:
        self._sampler = Sampler(members, device)
        self.with_window = with_window
        self._members, self._on = tuple(members), device
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
    def has_contours(self) -> bool:
        """Whether the network, or each member, gives outlines."""
        return self._draws_outlines

    def predict(
        self,
        image: NDArray[np.uint8],
        *,
        plan: InferenceOptions,
        check_cancelled: Callable[[], None],
    ) -> ImageOutputs:
        """Return the moments of samples of ``image`` (H, W, 3) uint8, by the options ``plan``."""
        self._move_to(self._on)
        with leave_core_free(self.with_window):
            return self._sampler.outputs(image, plan, check_cancelled)

    def check_sampling(self, plan: InferenceOptions) -> None:
        """Raise ModelError if the network does not support ``plan``."""
        self._sampler.check(plan)

    def embed(
        self, image: NDArray[np.uint8], *, check_cancelled: Callable[[], None]
    ) -> NDArray[np.float32]:
        """Return a coarse feature map (D, h, w), whose mean over a region is its embedding."""
        self._move_to(self._on)
        plan = InferenceOptions(uncertainty_from="single")
        with leave_core_free(self.with_window):
            return self._sampler.embedding(image, plan, check_cancelled)

    def write_onnx(self, path: Path) -> int:
        """Write the network without dropout as ONNX, and return the multiple of its input sizes.

        ModelError if the network cannot be written so.
        """
        networks = [member.passes.network for member in self._members]
        write_onnx(networks, path)
        return input_multiple(networks)

    def free_memory(self) -> None:
        """Leave the GPU until the next prediction."""
        if self._on.type == "cuda":
            self._move_to(torch.device("cpu"))

    def _move_to(self, device: torch.device) -> None:
        for member in self._members:
            member.passes.network.to(device)
            member.companions.to(device)


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
        companions: AuxiliaryHeads | None = None,
        with_window: bool = False,
    ) -> None:
        self._network = network.to(device).to(memory_format=torch.channels_last)
        self._companions = (companions or AuxiliaryHeads()).to(device)
        self._preset = preset
        self._device = device
        self.member = Member(NetworkPasses(self._network, device), self._companions)
        super().__init__(
            [self.member],
            device,
            preset=preset.name,
            classes=classes,
            origin=origin,
            with_window=with_window,
        )

    @classmethod
    def build(
        cls,
        preset: str,
        classes: tuple[str, ...],
        device: torch.device,
        *,
        seed: int,
        weights: str = "pretrained",
        with_window: bool = False,
    ) -> TorchSegmenter:
        """Return an untrained segmenter; ``seed`` decides the weights that are not loaded."""
        chosen = get_preset(preset)
        with seeded(seed, device):
            built = build_network(preset, len(classes), weights=weights)
        return cls(
            built.network,
            chosen,
            classes,
            device,
            origin=built.origin,
            with_window=with_window,
        )

    @classmethod
    def from_checkpoint(
        cls,
        path: Path,
        classes: tuple[str, ...],
        device: torch.device,
        *,
        outputs: tuple[int, ...] | None = None,
        with_window: bool = False,
    ) -> TorchSegmenter:
        """Return the segmenter of a checkpoint; ModelError if it does not fit ``classes``.

        ``outputs[i]`` is the place among ``classes`` of its output i.
        """
        header, weights = load_checkpoint(path)
        trained_for = tuple(json.loads(header["classes"]))
        fits = trained_for == classes if outputs is None else len(outputs) == len(trained_for)
        if not fits:
            raise ModelError(
                f"{path.name} was trained for {', '.join(trained_for)} but the project has "
                f"{', '.join(classes)}; train again"
            )
        chosen = get_preset(header["preset"])
        network: Network = build_network(chosen.name, len(trained_for)).network
        auxiliary = {k: v for k, v in weights.items() if k.startswith("companions.")}
        own = {k: v for k, v in weights.items() if k not in auxiliary}
        if isinstance(network, SmallUNet):
            own = network.upgrade_checkpoint(own)
        try:
            network.load_state_dict(own)
            companions = _companions(network, auxiliary, len(trained_for))
        except RuntimeError as error:
            raise ModelError(f"{path.name} does not fit the network {chosen.name!r}") from error
        _restore_normalisation(network, header)
        if outputs is not None and outputs != tuple(range(len(classes))):
            network = ClassRemapping(network, outputs, len(classes))
            companions.discriminator = None  # it judges the classes of before
        return cls(
            network,
            chosen,
            classes,
            device,
            origin=header.get("origin", "random weights"),
            companions=companions,
            with_window=with_window,
        )

    def train(
        self,
        data: TrainingData,
        *,
        plan: TrainingOptions,
        on_step: Callable[[TrainStep], None],
        check_cancelled: Callable[[], None],
        kept: ResumeTarget | None = None,
    ) -> TrainOutcome:
        """Learn from the labelled pixels of ``data.examples`` alone."""
        parts = self._parts(data, plan)
        with leave_core_free(self.with_window):
            return train_network(parts, on_step=on_step, check_cancelled=check_cancelled, kept=kept)

    def estimate_training_seconds(self, data: TrainingData, *, plan: TrainingOptions) -> float:
        """Return how long training would take, from a few steps; the network is spoilt by it."""
        if n_ranks() > 1:
            raise ConfigError("'auto' measures one process; name a preset under torchrun")
        parts = self._parts(data, plan)
        with leave_core_free(self.with_window):
            return estimate_seconds(parts)

    def save(self, path: Path, *, facts: Mapping[str, str]) -> None:
        """Write a checkpoint with ``facts`` in its header."""
        save_checkpoint(
            path,
            self._network,
            companions=self._companions,
            preset=self.preset,
            classes=self._classes,
            facts={**facts, "origin": self._origin, **_normalisation_facts(self._network)},
        )

    def _parts(self, data: TrainingData, plan: TrainingOptions) -> TrainingParts:
        if not data.examples:
            raise NothingToDoError("nothing is labelled yet; finish a region first")
        self._move_to(self._device)
        return TrainingParts(
            self._network,
            self._companions,
            self._preset.with_sizes(plan),
            len(self._classes),
            self._device,
            data,
            plan,
        )


class TorchEnsemble(_TorchModel):
    """Several segmenters that predict as one: its MC samples are those of all members."""

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
            with_window=first.with_window,
        )


def _normalisation_facts(network: Network) -> dict[str, str]:
    """Return the statistics that the encoder's images are normalised with, for a header."""
    normalise = find_normalise(network)
    return {} if normalise is None else {"normalisation": json.dumps(normalise.statistics)}


def _restore_normalisation(network: Network, header: Mapping[str, str]) -> None:
    """Normalise as in the training of a checkpoint, with ImageNet's statistics if it has none."""
    normalise = find_normalise(network)
    if normalise is None:
        return
    mean, std = json.loads(header.get("normalisation", json.dumps(IMAGENET)))
    normalise.replace((tuple(mean), tuple(std)))


def _companions(network: Network, weights: Mapping[str, Tensor], n_classes: int) -> AuxiliaryHeads:
    """Return the auxiliary heads of a network, with the weights of those that were stored."""
    stored = {name.removeprefix("companions."): value for name, value in weights.items()}
    judging = {
        name.removeprefix("discriminator."): value
        for name, value in stored.items()
        if name.startswith("discriminator.")
    }
    companions = AuxiliaryHeads(
        loss_predictor=LossPredictor.for_network(network)
        if any(name.startswith("loss_predictor.") for name in stored)
        else None,
        discriminator=Discriminator.stored(judging, n_classes) if judging else None,
    )
    companions.load_state_dict(stored)
    return companions
