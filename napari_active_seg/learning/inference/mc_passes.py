"""The passes of one network over one image or tile, in batches that fit the device."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import torch
from torch import Tensor

from napari_active_seg.learning.inference.dropout_masks import PassMasks
from napari_active_seg.learning.inference.memory import memory_budget, out_of_memory, peak_bytes
from napari_active_seg.learning.inference.test_time_augmentation import VIEWS
from napari_active_seg.learning.module_modes import evaluating, sampling_dropout, seeded
from napari_active_seg.learning.networks import Features, Network
from napari_active_seg.models.inference_options import InferenceOptions

__all__ = ["NetworkPasses"]

_log = logging.getLogger(__name__)
Size = tuple[int, int]


class NetworkPasses:
    """Runs the fixed part of a network once an image and the rest once a pass.

    How many passes share a batch follows from the memory that one of them was seen to take; when
    memory runs out all the same, the batch is halved and the work continues.
    """

    def __init__(self, network: Network, device: torch.device) -> None:
        self.network = network
        self._device = device
        self._bytes_per_pass: dict[tuple[Size, str], int] = {}
        self._most_at_once: int | None = None

    def run(
        self,
        images: Tensor,
        plan: InferenceOptions,
        take: Callable[[Tensor], None],
        check_cancelled: Callable[[], None],
        *,
        origin: Size | None = None,
    ) -> None:
        """Hand the logits (B, C, H, W) of batches of passes over ``images`` (1, 3, H, W) on.

        ``origin`` is the place (y, x) of a tile in its image, None for a whole image.
        """
        with self._ready(plan):
            if plan.uncertainty_from == "views":
                self._views(images, plan, take, check_cancelled)
            else:
                self._passes(images, plan, take, check_cancelled, origin)

    @contextlib.contextmanager
    def plain(self, images: Tensor, plan: InferenceOptions) -> Iterator[Features]:
        """Give the features of one pass without dropout, and evaluation mode while it lasts."""
        with self._ready(plan), evaluating(self.network):
            yield self._features(images)

    def _features(self, images: Tensor) -> Features:
        return self.network.middle(self.network.prefix(images))

    def _views(
        self,
        images: Tensor,
        plan: InferenceOptions,
        take: Callable[[Tensor], None],
        check_cancelled: Callable[[], None],
    ) -> None:
        with evaluating(self.network):
            for view in VIEWS[: plan.n_samples]:
                check_cancelled()
                seen = view.of(images)
                take(view.back(self.network.suffix(self._features(seen), _size(seen))))

    def _passes(
        self,
        images: Tensor,
        plan: InferenceOptions,
        take: Callable[[Tensor], None],
        check_cancelled: Callable[[], None],
        origin: Size | None,
    ) -> None:
        mode = sampling_dropout if plan.draws else evaluating
        size = _size(images)
        padded = _pad(size, self.network.stride)
        with mode(self.network), PassMasks(self.network, plan.seed) as masks:
            check_cancelled()
            features = self._features(images)
            masks.at(0, 1, size=padded, origin=origin)
            take(self._first_pass(features, size, plan))
            first = 1  # the first pass goes alone always, so that measuring it changes no bit
            while first < plan.n_samples:
                check_cancelled()
                count = min(self._at_once(size, plan), plan.n_samples - first)
                masks.at(first, count, size=padded, origin=origin)
                logits = self._batch(features, size, count)
                if logits is not None:
                    first += count
                    take(logits)

    def _first_pass(self, features: Features, size: Size, plan: InferenceOptions) -> Tensor:
        key = (size, plan.precision)
        if key in self._bytes_per_pass:
            return self.network.suffix(features, size)
        found: list[Tensor] = []
        taken = peak_bytes(lambda: found.append(self.network.suffix(features, size)), self._device)
        self._bytes_per_pass[key] = max(1, taken)
        return found[0]

    def _at_once(self, size: Size, plan: InferenceOptions) -> int:
        """Return how many passes go together."""
        fitting = memory_budget(self._device) // self._bytes_per_pass[(size, plan.precision)]
        most = self._most_at_once or plan.n_samples
        return max(1, min(fitting, most))

    def _batch(self, features: Features, size: Size, count: int) -> Tensor | None:
        """Return the logits of ``count`` passes, or None where fewer are to be tried."""
        repeated = tuple(f.expand(count, *f.shape[1:]) for f in features)
        try:
            return self.network.suffix(repeated, size)
        except (RuntimeError, MemoryError) as error:
            if count == 1 or not out_of_memory(error):
                raise
            self._most_at_once = count // 2
            _log.warning("memory ran out; continuing with %d samples at once", self._most_at_once)
        if self._device.type == "cuda":
            torch.cuda.empty_cache()
        return None

    @contextlib.contextmanager
    def _ready(self, plan: InferenceOptions) -> Iterator[None]:
        """Neither gradients nor stray draws, in the precision of ``plan``."""
        low: AbstractContextManager[object] = contextlib.nullcontext()
        if plan.precision == "bfloat16":
            low = torch.autocast(self._device.type, dtype=torch.bfloat16)
        with torch.inference_mode(), seeded(plan.seed, self._device), low:
            yield


def _size(images: Tensor) -> Size:
    return (images.shape[-2], images.shape[-1])


def _pad(size: Size, multiple: int) -> Size:
    return (size[0] + -size[0] % multiple, size[1] + -size[1] % multiple)
