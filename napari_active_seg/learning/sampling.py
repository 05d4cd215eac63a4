"""Monte-Carlo dropout whose memory does not grow with the number of passes.

The deterministic prefix runs once per image (or tile), the suffix T times, and each pass goes
into running moments on the device. One seed gives each pass the same dropout mask on every
tile, since channel dropout draws per channel and not per pixel.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_active_seg.learning.modes import evaluating, sampling_dropout, seeded
from napari_active_seg.learning.networks import Network
from napari_active_seg.regions import blend_window, tile_grid
from napari_active_seg.uncertainty import Moments

__all__ = ["TorchMomentStream", "image_to_tensor", "sample_moments"]

#: Pixels that go through the suffix together: small images share a batch of passes.
_PIXELS_AT_ONCE = 500_000
_LARGEST_WHOLE = 1600 * 1600
_TILE, _OVERLAP = 1024, 128


class TorchMomentStream:
    """The moments of the passes so far, in float32 on the device that made them."""

    def __init__(self) -> None:
        self._n = 0
        self._mean = self._squares = self._plogp = self._votes = torch.empty(0)

    def add(self, logits: Tensor) -> None:
        """Take the logits (B, C, H, W) of B passes."""
        for log_p in torch.log_softmax(logits.float(), dim=1):
            p = log_p.exp()
            if self._n == 0:
                self._mean, self._squares = torch.zeros_like(p), torch.zeros_like(p)
                self._plogp = torch.zeros_like(p[0])
                self._votes = torch.zeros(p.shape, dtype=torch.int16, device=p.device)
            self._n += 1
            before = p - self._mean
            self._mean.add_(before, alpha=1 / self._n)
            self._squares.addcmul_(before, p - self._mean)
            self._plogp.add_((p * log_p).sum(dim=0) - self._plogp, alpha=1 / self._n)
            self._add_votes(p)

    def _add_votes(self, p: Tensor) -> None:
        """Count the winner of each pixel, the first where several tie.

        A loop over the few classes: torch's argmax over the first axis takes 100 times as long.
        """
        highest = p[0]
        for plane in p[1:]:
            highest = torch.maximum(highest, plane)
        undecided = torch.ones_like(highest, dtype=torch.bool)
        for votes, plane in zip(self._votes, p, strict=True):
            wins = undecided & (plane == highest)
            votes.add_(wins)
            undecided &= ~wins

    def moments(self) -> Moments:
        """Return the moments as numpy arrays."""
        return Moments(
            n=self._n,
            mean_p=self._mean.cpu().numpy(),
            mean_plogp=self._plogp.cpu().numpy(),
            var_p=(self._squares / self._n).cpu().numpy(),
            votes=self._votes.cpu().numpy().astype(np.uint16),
        )


def image_to_tensor(image: NDArray[np.uint8], device: torch.device) -> Tensor:
    """Return ``image`` (H, W, 3) uint8 as (1, 3, H, W) in 0..1."""
    tensor = torch.tensor(image, device=device)
    return tensor.permute(2, 0, 1)[None].float().div_(255).contiguous()


def sample_moments(
    network: Network,
    image: NDArray[np.uint8],
    *,
    samples: int,
    seed: int,
    device: torch.device,
    check_cancelled: Callable[[], None],
) -> Moments:
    """Return the moments of ``samples`` passes over ``image`` (H, W, 3) uint8.

    One sample is a plain pass with dropout off. Images of more than 2.5 million pixels go
    through in overlapping tiles whose moments are blended.
    """
    mode = sampling_dropout if samples > 1 else evaluating
    with torch.inference_mode(), mode(network):
        if image.shape[0] * image.shape[1] <= _LARGEST_WHOLE:
            return _sample_whole(network, image, samples, seed, device, check_cancelled)
        return _sample_tiled(network, image, samples, seed, device, check_cancelled)


def _sample_whole(
    network: Network,
    image: NDArray[np.uint8],
    samples: int,
    seed: int,
    device: torch.device,
    check_cancelled: Callable[[], None],
) -> Moments:
    size = (image.shape[0], image.shape[1])
    features = network.middle(network.prefix(image_to_tensor(image, device)))
    at_once = max(1, min(samples, _PIXELS_AT_ONCE // (size[0] * size[1])))
    stream = TorchMomentStream()
    with seeded(seed, device):
        for start in range(0, samples, at_once):
            check_cancelled()
            count = min(at_once, samples - start)
            repeated = tuple(f.expand(count, *f.shape[1:]) for f in features)
            stream.add(network.suffix(repeated, size))
    return stream.moments()


def _sample_tiled(
    network: Network,
    image: NDArray[np.uint8],
    samples: int,
    seed: int,
    device: torch.device,
    check_cancelled: Callable[[], None],
) -> Moments:
    shape = (image.shape[0], image.shape[1])
    tiles = tile_grid(shape, tile=_TILE, overlap=_OVERLAP)
    window = blend_window(tiles[0].height, tiles[0].width, overlap=_OVERLAP)
    weights = np.zeros(shape, np.float32)
    sums: dict[str, NDArray[np.float32]] = {}
    for tile in tiles:
        part = _sample_whole(network, image[tile.slices], samples, seed, device, check_cancelled)
        weights[tile.slices] += window
        for name in ("mean_p", "mean_plogp", "var_p", "votes"):
            values = np.asarray(getattr(part, name), np.float32)
            total = sums.setdefault(name, np.zeros((*values.shape[:-2], *shape), np.float32))
            total[..., tile.slices[0], tile.slices[1]] += values * window
    return Moments(
        n=samples,
        mean_p=sums["mean_p"] / weights,
        mean_plogp=sums["mean_plogp"] / weights,
        var_p=sums["var_p"] / weights,
        votes=_whole_votes(sums["votes"] / weights, samples),
    )


def _whole_votes(shares: NDArray[np.float32], samples: int) -> NDArray[np.uint16]:
    """Round blended votes to whole ones that still sum to ``samples``."""
    votes = np.floor(shares + 1e-3).astype(np.int64)
    missing = samples - votes.sum(axis=0)
    order = np.argsort(-(shares - votes), axis=0, kind="stable")
    ranks = np.argsort(order, axis=0, kind="stable")
    return (votes + (ranks < missing)).astype(np.uint16)
