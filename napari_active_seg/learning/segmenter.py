"""The torch side of the Segmenter protocol."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from napari_active_seg.errors import ModelError, NothingToDoError
from napari_active_seg.learning.batches import Batches, CropBatches, PixelBatches
from napari_active_seg.learning.checkpoints import load_checkpoint, save_checkpoint
from napari_active_seg.learning.devices import leave_a_core, resolve_device
from napari_active_seg.learning.modes import seeded
from napari_active_seg.learning.networks import Network
from napari_active_seg.learning.networks.regrouped import Regrouped
from napari_active_seg.learning.presets import Preset, preset_named
from napari_active_seg.learning.sampling import sample_moments
from napari_active_seg.learning.trainer import fit
from napari_active_seg.segmenter import ImageOutputs, TrainExample, TrainOutcome, TrainStep

__all__ = ["TorchSegmenter", "TorchSegmenterFactory"]


class TorchSegmenter:
    """A network with its preset and classes, numpy in and out."""

    def __init__(
        self,
        network: Network,
        preset: Preset,
        classes: tuple[str, ...],
        device: torch.device,
    ) -> None:
        self._network = network.to(device).to(memory_format=torch.channels_last)
        self._preset = preset
        self._classes = classes
        self._device = device

    @property
    def preset(self) -> str:
        """Name of the preset."""
        return self._preset.name

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names, in the order of the outputs."""
        return self._classes

    def predict(
        self,
        image: NDArray[np.uint8],
        *,
        samples: int,
        seed: int,
        check_cancelled: Callable[[], None],
    ) -> ImageOutputs:
        """Return the moments of ``samples`` passes over ``image`` (H, W, 3) uint8."""
        moments = sample_moments(
            self._network,
            image,
            samples=samples,
            seed=seed,
            device=self._device,
            check_cancelled=check_cancelled,
        )
        return ImageOutputs(moments)

    def train(
        self,
        examples: Sequence[TrainExample],
        *,
        seed: int,
        epochs: int | None,
        on_step: Callable[[TrainStep], None],
        check_cancelled: Callable[[], None],
    ) -> TrainOutcome:
        """Learn from the labelled pixels of ``examples`` alone.

        ``epochs`` None trains for the preset's own number of steps.
        """
        if not examples:
            raise NothingToDoError("nothing is labelled yet; finish a region first")
        batches = self._batches(examples)
        return fit(
            self._network,
            batches,
            n_steps=self._preset.n_steps if epochs is None else epochs * batches.per_epoch,
            learning_rate=self._preset.learning_rate,
            seed=seed,
            device=self._device,
            on_step=on_step,
            check_cancelled=check_cancelled,
        )

    def save(self, path: Path, *, facts: Mapping[str, str]) -> None:
        """Write a checkpoint with ``facts`` in its header."""
        save_checkpoint(path, self._network, preset=self.preset, classes=self._classes, facts=facts)

    def _batches(self, examples: Sequence[TrainExample]) -> Batches:
        p = self._preset
        if self._network.pixelwise:
            return PixelBatches(self._network, examples, batch=p.batch, device=self._device)
        return CropBatches(self._network, examples, batch=p.batch, crop=p.crop, device=self._device)


class TorchSegmenterFactory:
    """Builds and loads torch segmenters on one device."""

    def __init__(self, device: str = "auto", *, beside_a_window: bool = False) -> None:
        self._device = resolve_device(device)
        if beside_a_window:
            leave_a_core()

    def build(self, preset: str, *, classes: tuple[str, ...], seed: int) -> TorchSegmenter:
        """Return an untrained segmenter whose weights ``seed`` decides."""
        chosen = preset_named(preset)
        with seeded(seed, self._device):
            network = chosen.build(len(classes))
        return TorchSegmenter(network, chosen, classes, self._device)

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
        chosen = preset_named(header["preset"])
        network = chosen.build(len(trained_for))
        try:
            network.load_state_dict(weights)
        except RuntimeError as error:
            raise ModelError(f"{path.name} does not fit preset {chosen.name!r}") from error
        if outputs is not None and outputs != tuple(range(len(classes))):
            network = Regrouped(network, outputs, len(classes))
        return TorchSegmenter(network, chosen, classes, self._device)
