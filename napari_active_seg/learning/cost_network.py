"""A small network that learns how long a region takes, from its crop and its predicted mask.

After "annotation cost-sensitive deep active learning", whose costs are learned by a network at
every iteration. It sees crops at one size, what belongs to the region, where predicted classes
meet, and how large the region is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from napari_active_seg.acquisition import CostExample, CostView, FittedCost, cost_features
from napari_active_seg.learning.module_modes import seeded
from napari_active_seg.learning.training.objectives import NetworkAlone, Terms
from napari_active_seg.learning.training.optimisation import OptimiserConfig, StepInfo
from napari_active_seg.learning.training.trainer import fit

__all__ = ["CostNetwork", "fit_cost_network"]

_SIDE, _STEPS, _BATCH, _FOLDS, _AT_ONCE = 48, 150, 16, 3, 256


class CostNetwork(nn.Module):
    """Three convolutions over 6 planes, and what is counted, to one number: log seconds."""

    def __init__(self, n_features: int) -> None:
        super().__init__()
        self.seen = nn.Sequential(
            nn.Conv2d(6, 12, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(12, 24, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(24, 24, 3, stride=2, padding=1),
            nn.ReLU(),
        )
        self.counted = nn.Linear(n_features, 1)
        self.dropout, self.head = nn.Dropout(0.2), nn.Linear(24, 1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, planes: Tensor, counted: Tensor) -> Tensor:
        """Return standardised log seconds (N,) of planes (N, 6, s, s) and counts (N, F)."""
        seen = self.seen(planes).mean(dim=(2, 3))
        out: Tensor = (self.head(self.dropout(seen)) + self.counted(counted))[:, 0]
        return out


def fit_cost_network(
    examples: Sequence[CostExample], *, seed: int, check_cancelled: Callable[[], None]
) -> FittedCost:
    """Return a fitted cost model, and its cross-validated cost of each example.

    The latter comes from three networks, each of which learned from the other two thirds.
    """
    planes, counts = _inputs([example.view for example in examples])
    logs = np.log([example.spent for example in examples])
    folds = np.arange(len(examples)) % _FOLDS
    left_out = np.empty(len(examples))
    for fold in range(_FOLDS):
        kept, out = folds != fold, folds == fold
        predict = _fit(planes[kept], counts[kept], logs[kept], seed + fold, check_cancelled)
        left_out[out] = predict(planes[out], counts[out])
    predict_from_all = _fit(planes, counts, logs, seed, check_cancelled)
    return _ViewCosts(predict_from_all), np.exp(left_out)


@dataclass(frozen=True, slots=True, eq=False)
class _TrainedNetwork:
    """Predicts log costs of inputs by a trained network."""

    network: CostNetwork
    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    middle: float
    spread: float

    def __call__(self, planes: Tensor, counts: NDArray[np.float64]) -> NDArray[np.float64]:
        standard = np.clip((counts - self.mean) / self.scale, -4, 4).astype(np.float32)
        with torch.no_grad():
            out = self.network(planes, torch.from_numpy(standard)).numpy().astype(np.float64)
        return np.clip(out * self.spread + self.middle, -3, 9)


@dataclass(frozen=True, slots=True, eq=False)
class _ViewCosts:
    """Predicts costs of views."""

    predict: _TrainedNetwork

    def __call__(self, views: Sequence[CostView]) -> NDArray[np.float64]:
        starts = range(0, len(views), _AT_ONCE)
        parts = [self.predict(*_inputs(views[start : start + _AT_ONCE])) for start in starts]
        return np.exp(np.concatenate(parts))


def _inputs(views: Sequence[CostView]) -> tuple[Tensor, NDArray[np.float64]]:
    planes = torch.stack([_planes(view) for view in views])
    return planes, np.stack([cost_features(view) for view in views])


def _planes(view: CostView) -> Tensor:
    """Return colours, the region's pixels, its first class and its boundaries (6, side, side)."""
    classes = view.classes
    edges = np.zeros(classes.shape, np.float32)
    edges[:, :-1] += classes[:, :-1] != classes[:, 1:]
    edges[:-1] += classes[:-1] != classes[1:]
    stacked = np.stack(
        [
            *(view.image.transpose(2, 0, 1).astype(np.float32) / 255 - 0.5),
            view.inside.astype(np.float32) - 0.5,
            (classes == 0).astype(np.float32) - 0.5,
            edges,
        ]
    )
    tensor = torch.from_numpy(stacked)[None]
    return functional.interpolate(tensor, (_SIDE, _SIDE), mode="area")[0]


class _LogSeconds(NetworkAlone):
    """The error of log seconds over batches of regions, their crops flipped at random."""

    def __init__(self, network: CostNetwork, planes: Tensor, counted: Tensor, logs: Tensor) -> None:
        self._network, self._planes, self._counted, self._logs = network, planes, counted, logs

    def terms(self, rng: np.random.Generator, moment: StepInfo) -> Terms:
        """Return the error of the next batch, smoothed where it is small."""
        del moment
        n_rows = len(self._logs)
        rows = torch.from_numpy(rng.integers(n_rows, size=min(_BATCH, n_rows)))
        crops = self._planes[rows]
        for axis in (2, 3):
            crops = crops.flip(axis) if rng.random() < 0.5 else crops
        found = self._network(crops, self._counted[rows])
        loss = functional.smooth_l1_loss(found, self._logs[rows])
        return Terms(loss, {"loss": float(loss.detach())})


def _fit(
    planes: Tensor,
    counts: NDArray[np.float64],
    logs: NDArray[np.float64],
    seed: int,
    check_cancelled: Callable[[], None],
) -> _TrainedNetwork:
    """Return a network that learned log costs."""
    mean, scale = counts.mean(axis=0), counts.std(axis=0) + 1e-6
    middle, spread = float(logs.mean()), float(logs.std()) + 1e-3
    x = torch.from_numpy(((counts - mean) / scale).astype(np.float32))
    y = torch.from_numpy(((logs - middle) / spread).astype(np.float32))
    device = torch.device("cpu")
    with seeded(seed, device):
        network = CostNetwork(counts.shape[1])
    fit(
        network,
        [_LogSeconds(network, planes, x, y)],
        OptimiserConfig(_STEPS, 3e-3, schedule="constant", weight_decay=0.05),
        per_epoch=_STEPS,
        seed=seed,
        device=device,
        on_step=lambda _: None,
        check_cancelled=check_cancelled,
    )
    return _TrainedNetwork(network.eval(), mean, scale, middle, spread)
