"""Running moments on the device that makes the passes."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from napari_active_seg.uncertainty import Moments

__all__ = ["TorchMomentStream"]

#: Pixels of a pass that are worked through together, so that they stay in the processor's cache.
_PIXELS_IN_CACHE = 40_000


class TorchMomentStream:
    """The moments of the passes so far, in float32; memory does not grow with their number."""

    def __init__(self) -> None:
        self._n = 0
        self._mean = self._squares = self._plogp = self._votes = torch.empty(0)

    def add(self, logits: Tensor) -> None:
        """Take the logits (B, C, H, W) of B passes."""
        for one in logits:
            if self._n == 0:
                self._begin(one)
            self._n += 1
            rows = one.shape[1]
            if one.device.type == "cpu":
                rows = max(1, _PIXELS_IN_CACHE // one.shape[2])
            for top in range(0, one.shape[1], rows):
                self._add_rows(one, slice(top, top + rows))

    def moments(self) -> Moments:
        """Return the moments as numpy arrays."""
        return Moments(
            n=self._n,
            mean_p=self._mean.cpu().numpy(),
            mean_plogp=self._plogp.cpu().numpy(),
            var_p=(self._squares / self._n).cpu().numpy(),
            votes=self._votes.cpu().numpy().astype(np.uint16),
        )

    @property
    def mean(self) -> Tensor:
        """The mean probabilities (C, H, W) so far, on the device."""
        return self._mean

    def _begin(self, logits: Tensor) -> None:
        shape, device = logits.shape, logits.device
        self._mean = torch.zeros(shape, device=device)
        self._squares = torch.zeros(shape, device=device)
        self._plogp = torch.zeros(shape[1:], device=device)
        self._votes = torch.zeros(shape, dtype=torch.int16, device=device)

    def _add_rows(self, logits: Tensor, rows: slice) -> None:
        log_p = torch.log_softmax(logits[:, rows].float(), dim=0)
        p = log_p.exp()
        mean, squares = self._mean[:, rows], self._squares[:, rows]
        before = p - mean
        mean.add_(before, alpha=1 / self._n)
        squares.addcmul_(before, p - mean)
        plogp = self._plogp[rows]
        plogp.add_(log_p.mul_(p).sum(dim=0).sub_(plogp), alpha=1 / self._n)
        self._add_votes(p, self._votes[:, rows])

    def _add_votes(self, p: Tensor, votes: Tensor) -> None:
        """Count the winner of each pixel, the first where several tie.

        A loop over the few classes: torch's argmax over the first axis takes 100 times as long.
        """
        highest = p[0]
        for plane in p[1:]:
            highest = torch.maximum(highest, plane)
        undecided = torch.ones_like(highest, dtype=torch.bool)
        for count, plane in zip(votes, p, strict=True):
            wins = undecided & (plane == highest)
            count.add_(wins)
            undecided &= ~wins
