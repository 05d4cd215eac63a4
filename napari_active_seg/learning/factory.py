"""Builds and loads torch segmenters."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from napari_active_seg.acquisition import CostExample, FittedCost
from napari_active_seg.errors import ModelError
from napari_active_seg.learning.checkpoints import load_checkpoint
from napari_active_seg.learning.classification.image_head import fit_image_head
from napari_active_seg.learning.cost_network import fit_cost_network
from napari_active_seg.learning.devices import leaving_a_core, resolve_device
from napari_active_seg.learning.module_modes import seeded
from napari_active_seg.learning.networks import Network, SmallUNet
from napari_active_seg.learning.networks.auxiliary_heads import (
    AuxiliaryHeads,
    Discriminator,
    LossPredictor,
)
from napari_active_seg.learning.networks.class_remapping import ClassRemapping
from napari_active_seg.learning.networks.registry import build_network
from napari_active_seg.learning.presets import CANDIDATES, get_preset
from napari_active_seg.learning.segmenter import TorchEnsemble, TorchSegmenter
from napari_active_seg.learning.training.distributed import join_ranks
from napari_active_seg.models.image_head import HeadExamples, ImagePredictions
from napari_active_seg.models.segmenter import Segmenter

__all__ = ["TorchSegmenterFactory"]


class TorchSegmenterFactory:
    """Makes segmenters on one device."""

    def __init__(self, device: str = "auto", *, beside_a_window: bool = False) -> None:
        self._device = resolve_device(device)
        join_ranks(self._device)
        self._beside_a_window = beside_a_window

    def build(
        self, preset: str, *, classes: tuple[str, ...], seed: int, weights: str = "pretrained"
    ) -> TorchSegmenter:
        """Return an untrained segmenter; ``seed`` decides the weights that are not loaded."""
        chosen = get_preset(preset)
        with seeded(seed, self._device):
            built = build_network(preset, len(classes), weights=weights)
        return TorchSegmenter(
            built.network,
            chosen,
            classes,
            self._device,
            origin=built.origin,
            beside_a_window=self._beside_a_window,
        )

    def candidates(self) -> tuple[str, ...]:
        """Return presets that suit the device, the best first."""
        return CANDIDATES[self._device.type]

    def fit_cost(
        self,
        examples: Sequence[CostExample],
        *,
        seed: int,
        check_cancelled: Callable[[], None],
    ) -> FittedCost:
        """Return what tells the cost of further views, and of each example unseen."""
        with leaving_a_core(self._beside_a_window):
            return fit_cost_network(examples, seed=seed, check_cancelled=check_cancelled)

    def fit_head(
        self, examples: HeadExamples, seed: int, check_cancelled: Callable[[], None]
    ) -> ImagePredictions:
        """Return what tells the class of images from what a network sees of them."""
        with leaving_a_core(self._beside_a_window):
            return fit_image_head(examples, seed, check_cancelled)

    def load(
        self, path: Path, *, classes: tuple[str, ...], outputs: tuple[int, ...] | None = None
    ) -> TorchSegmenter:
        """Return the segmenter of a checkpoint; ModelError if it does not fit ``classes``.

        ``outputs[i]`` is the place among ``classes`` of its output i, for a project whose classes
        were renamed, reordered, merged or added to since.
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
        beside = {k: v for k, v in weights.items() if k.startswith("companions.")}
        own = {k: v for k, v in weights.items() if k not in beside}
        if isinstance(network, SmallUNet):
            own = network.upgraded(own)
        try:
            network.load_state_dict(own)
            companions = _companions(network, beside, len(trained_for))
        except RuntimeError as error:
            raise ModelError(f"{path.name} does not fit the network {chosen.name!r}") from error
        if outputs is not None and outputs != tuple(range(len(classes))):
            network = ClassRemapping(network, outputs, len(classes))
            companions.discriminator = None  # it judges the classes of before
        return TorchSegmenter(
            network,
            chosen,
            classes,
            self._device,
            origin=header.get("origin", "random weights"),
            companions=companions,
            beside_a_window=self._beside_a_window,
        )

    def free_memory(self) -> None:
        """Give back what the GPU keeps for the next time."""
        if self._device.type == "cuda":
            torch.cuda.empty_cache()

    def ensemble(self, members: Sequence[Segmenter]) -> TorchEnsemble:
        """Return a segmenter whose passes are those of all members."""
        ours = [member for member in members if isinstance(member, TorchSegmenter)]
        if len(ours) != len(members):
            raise ModelError("an ensemble is made of single models that this factory loaded")
        return TorchEnsemble(ours, self._device)


def _companions(network: Network, weights: Mapping[str, Tensor], n_classes: int) -> AuxiliaryHeads:
    """Return what stands beside the network, filled with what of it was stored."""
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
