"""Build and load networks; torch is imported when the first one is needed.

The composition root imports this module, and a program that trains nothing never waits for torch.
So every import of a module that needs torch stands in a method.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from napari_active_seg.acquisition import CostExample, FittedCost
from napari_active_seg.errors import ModelError
from napari_active_seg.learning.torch_loading import load_torch
from napari_active_seg.models.image_classifier import Classifier
from napari_active_seg.models.image_head import HeadExamples, ImagePredictions
from napari_active_seg.models.segmenter import TrainableSegmenter
from napari_active_seg.models.torch_libraries import load_torch_libraries

if TYPE_CHECKING:
    import torch

    from napari_active_seg.learning.segmenter import TorchEnsemble, TorchSegmenter

__all__ = ["TorchImageNetworks", "TorchSegmenterFactory"]


class TorchSegmenterFactory:
    """Makes segmenters on one device; pickles without torch.

    ``with_window`` loads torch without stopping the window, and leaves it a core.
    """

    def __init__(self, device: str = "auto", *, with_window: bool = False) -> None:
        self._device_name, self._with_window = device, with_window

    def __getstate__(self) -> dict[str, object]:
        """Return the settings, without what was loaded."""
        return {name: value for name, value in vars(self).items() if name != "_device"}

    @cached_property
    def _device(self) -> torch.device:
        """The device; the first use loads torch and joins the other processes of a training."""
        self._load()
        from napari_active_seg.learning.devices import resolve_device
        from napari_active_seg.learning.training.distributed import join_ranks

        device = resolve_device(self._device_name)
        join_ranks(device)
        return device

    def _load(self) -> None:
        """Import torch and the modules that need it."""
        loads_torch = "torch" not in sys.modules
        if self._with_window:
            load_torch_libraries()
        load_torch()

        if self._with_window and loads_torch:
            gc.freeze()  # torch's modules stay: a collection would visit them for half a second

    def build(
        self, preset: str, *, classes: tuple[str, ...], seed: int, weights: str = "pretrained"
    ) -> TorchSegmenter:
        """Return an untrained segmenter; ``seed`` decides the weights that are not loaded."""
        device = self._device
        from napari_active_seg.learning.segmenter import TorchSegmenter

        return TorchSegmenter.build(
            preset,
            classes,
            device,
            seed=seed,
            weights=weights,
            with_window=self._with_window,
        )

    def candidates(self) -> tuple[str, ...]:
        """Return presets that suit the device, the best first."""
        device = self._device
        from napari_active_seg.learning.presets import CANDIDATES

        return CANDIDATES[device.type]

    def load(
        self, path: Path, *, classes: tuple[str, ...], outputs: tuple[int, ...] | None = None
    ) -> TorchSegmenter:
        """Return the segmenter of a checkpoint; ModelError if it does not fit ``classes``.

        ``outputs[i]`` is the place among ``classes`` of its output i, for a project whose classes
        were renamed, reordered, merged or added to since.
        """
        device = self._device
        from napari_active_seg.learning.segmenter import TorchSegmenter

        return TorchSegmenter.from_checkpoint(
            path, classes, device, outputs=outputs, with_window=self._with_window
        )

    def free_memory(self) -> None:
        """Release the memory that torch keeps on the GPU; does not load torch."""
        if "_device" not in vars(self) or self._device.type != "cuda":
            return
        import torch

        torch.cuda.empty_cache()

    def fit_cost(
        self,
        examples: Sequence[CostExample],
        *,
        seed: int,
        check_cancelled: Callable[[], None],
    ) -> FittedCost:
        """Return a fitted cost model, and its out-of-fold costs of the examples."""
        self._load()
        from napari_active_seg.learning.cost_network import fit_cost_network
        from napari_active_seg.learning.devices import leave_core_free

        with leave_core_free(self._with_window):
            return fit_cost_network(examples, seed=seed, check_cancelled=check_cancelled)

    def fit_head(
        self, examples: HeadExamples, seed: int, check_cancelled: Callable[[], None]
    ) -> ImagePredictions:
        """Return a fitted head that predicts classes of images from features of a network."""
        self._load()
        from napari_active_seg.learning.classification import fit_image_head
        from napari_active_seg.learning.devices import leave_core_free

        with leave_core_free(self._with_window):
            return fit_image_head(examples, seed, check_cancelled)

    def ensemble(self, members: Sequence[TrainableSegmenter]) -> TorchEnsemble:
        """Return an ensemble whose samples are those of all members."""
        device = self._device
        from napari_active_seg.learning.segmenter import TorchEnsemble, TorchSegmenter

        ours = [member for member in members if isinstance(member, TorchSegmenter)]
        if len(ours) != len(members):
            raise ModelError("an ensemble is made of single models that this factory loaded")
        return TorchEnsemble(ours, device)


class TorchImageNetworks:
    """Makes networks for whole images on one device; pickles without torch."""

    def __init__(self, device: str = "auto") -> None:
        self._device_name = device

    def build(
        self,
        network: str,
        *,
        shape: tuple[int, int, int],
        n_classes: int,
        seed: int,
        weights: str = "random",
    ) -> Classifier:
        """Return an untrained network for images (H, W, channels)."""
        load_torch()
        from napari_active_seg.learning.classification import build_classifier

        return build_classifier(
            network,
            shape=shape,
            n_classes=n_classes,
            seed=seed,
            weights=weights,
            device=self._device_name,
        )

    def fit_cost(
        self, examples: Sequence[CostExample], *, seed: int, check_cancelled: Callable[[], None]
    ) -> FittedCost:
        """Return a fitted cost model, and its out-of-fold costs of the examples."""
        load_torch()
        from napari_active_seg.learning.cost_network import fit_cost_network

        return fit_cost_network(examples, seed=seed, check_cancelled=check_cancelled)
