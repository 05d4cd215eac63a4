"""A second head: a class per image, from what a segmentation network sees of it as a whole."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from napari_active_seg.learning.classification.dropout_weights import sample_weights
from napari_active_seg.learning.module_modes import evaluating, seeded
from napari_active_seg.learning.training.objectives import NetworkAlone, Terms
from napari_active_seg.learning.training.optimisation import OptimiserConfig, StepInfo
from napari_active_seg.learning.training.trainer import fit
from napari_active_seg.models.image_head import HeadExamples, ImagePredictions
from napari_active_seg.uncertainty import Moments, MomentStream

__all__ = ["fit_image_head"]

_WIDTH, _DROPOUT, _STEPS, _RATE, _DECAY = 32, 0.5, 300, 3e-3, 1e-2
_PASSES = 30


class _WeightedRows(NetworkAlone):
    """The cross-entropy of all rows, each weighted by its class."""

    def __init__(self, head: nn.Module, rows: Tensor, labels: Tensor, weights: Tensor) -> None:
        self._head, self._rows, self._labels, self._weights = head, rows, labels, weights

    def terms(self, rng: np.random.Generator, moment: StepInfo) -> Terms:
        """Return the loss of all rows."""
        del rng, moment
        loss = F.cross_entropy(self._head(self._rows), self._labels, weight=self._weights)
        return Terms(loss, {"loss": float(loss.detach())})


def fit_image_head(
    examples: HeadExamples, seed: int, check_cancelled: Callable[[], None]
) -> ImagePredictions:
    """Fit a predictor of the class of further rows, by MC dropout.

    Rows are centred and scaled by the examples. Classes count alike, however rare they are.
    """
    place = torch.device("cpu")  # a few hundred rows: a GPU would only wait
    mean = examples.rows.mean(axis=0)
    spread = np.maximum(examples.rows.std(axis=0), 1e-6)
    rows = torch.from_numpy(((examples.rows - mean) / spread).astype(np.float32))
    labels = torch.tensor(list(examples.labels), dtype=torch.long)
    counts = torch.bincount(labels, minlength=examples.n_classes).clamp_min(1).float()
    weights = counts.sum() / counts
    with seeded(seed, place):
        head = nn.Sequential(
            nn.Dropout(0.1),
            nn.Linear(rows.shape[1], _WIDTH),
            nn.ReLU(),
            nn.Dropout(_DROPOUT),
            nn.Linear(_WIDTH, examples.n_classes),
        )
    fit(
        head,
        [_WeightedRows(head, rows, labels, weights)],
        OptimiserConfig(_STEPS, _RATE, schedule="constant", weight_decay=_DECAY),
        per_epoch=1,
        seed=seed,
        device=place,
        on_step=lambda _: None,
        check_cancelled=check_cancelled,
    )

    def predict(further: NDArray[np.floating]) -> Moments:
        scaled = torch.from_numpy(((further - mean) / spread).astype(np.float32))
        stream = MomentStream()
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad(), evaluating(head):
            for _ in range(_PASSES):
                drawn = sample_weights(head, generator)
                stream.add(drawn(scaled).softmax(1).T[..., None].numpy())
        return stream.moments()

    return predict
