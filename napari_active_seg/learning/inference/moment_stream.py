"""Running moments on the device that makes the passes."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from napari_active_seg.uncertainty import Moments

__all__ = ["TorchMomentStream"]


class TorchMomentStream:
    """The moments of the passes so far, in float32; memory does not grow with their number."""

    def __init__(self) -> None:
        self._n = self._n_classes = 0
        self._mean = self._squares = self._plogp = self._votes = torch.empty(0)
        self._odds = self._p = self._before = self._mean

    def add(self, logits: Tensor) -> None:
        """Add the logits (B, C, H, W) of B samples."""
        for one in logits.float():
            if self._n == 0:
                self._begin(one)
            self._n += 1
            if len(one) == 2:
                self._add_two(one)
            else:
                self._add_many(one)

    def moments(self) -> Moments:
        """Return the moments as numpy arrays."""
        votes = self._votes.cpu().numpy()
        if self._halved:
            votes = np.concatenate([self._n - votes, votes])
        return Moments(
            n=self._n,
            mean_p=self.mean.cpu().numpy(),
            mean_plogp=self._plogp.cpu().numpy(),
            var_p=(self._squares / self._n).expand(self._n_classes, -1, -1).cpu().numpy().copy(),
            votes=votes.astype(np.uint16),
        )

    @property
    def mean(self) -> Tensor:
        """The mean probabilities (C, H, W) so far, on the device."""
        return torch.cat([1 - self._mean, self._mean]) if self._halved else self._mean

    @property
    def _halved(self) -> bool:
        """Whether the second of two classes stands for both."""
        return self._n_classes == 2

    def _begin(self, logits: Tensor) -> None:
        self._n_classes = len(logits)
        shape, device = (1 if self._halved else len(logits), *logits.shape[1:]), logits.device
        self._mean = torch.zeros(shape, device=device)
        self._squares = torch.zeros(shape, device=device)
        self._plogp = torch.zeros(shape[1:], device=device)
        self._votes = torch.zeros(shape, dtype=torch.int16, device=device)
        # Written over at each pass: fresh memory costs more than the arithmetic.
        self._odds, self._p, self._before = (torch.empty_like(self._mean) for _ in range(3))

    def _add_two(self, logits: Tensor) -> None:
        """Add a pass over two classes by its log odds: one plane instead of two."""
        odds = torch.sub(logits[1:], logits[:1], out=self._odds)
        p = torch.sigmoid(odds, out=self._p)
        self._votes.add_(odds > 0)
        self._step(p)
        # p log p + q log q = p d - log(1 + exp d)
        plogp = p.mul_(odds).sub_(torch.nn.functional.softplus(odds))
        self._plogp.lerp_(plogp[0], 1 / self._n)

    def _add_many(self, logits: Tensor) -> None:
        log_p = torch.log_softmax(logits, dim=0)
        p = torch.exp(log_p, out=self._p)
        self._add_votes(p, self._votes)
        self._step(p)
        self._plogp.lerp_(log_p.mul_(p).sum(dim=0), 1 / self._n)

    def _step(self, p: Tensor) -> None:
        """Welford's recurrence; p - new mean is (1 - 1 / n) (p - old mean)."""
        before = torch.sub(p, self._mean, out=self._before)
        self._mean.add_(before, alpha=1 / self._n)
        self._squares.addcmul_(before, before, value=1 - 1 / self._n)

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
