"""A second head: a class per image, from what a segmentation network sees of it as a whole."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional as F

from napari_active_seg.learning.classification.dropout_weights import drawn_sequence
from napari_active_seg.learning.module_modes import evaluating, seeded, training
from napari_active_seg.models.image_head import HeadExamples, ImagePredictions
from napari_active_seg.uncertainty import Moments, MomentStream

__all__ = ["fit_image_head"]

_WIDTH, _DROPOUT, _STEPS, _RATE, _DECAY = 32, 0.5, 300, 3e-3, 1e-2
_PASSES = 30


def fit_image_head(
    examples: HeadExamples, seed: int, check_cancelled: Callable[[], None]
) -> ImagePredictions:
    """Return what tells the class of further rows by passes with dropout.

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
        optimiser = torch.optim.AdamW(head.parameters(), lr=_RATE, weight_decay=_DECAY)
        with training(head):
            for step in range(_STEPS):
                if step % 50 == 0:
                    check_cancelled()
                loss = F.cross_entropy(head(rows), labels, weight=weights)
                optimiser.zero_grad()
                torch.autograd.backward(loss)
                optimiser.step()

    def said(further: NDArray[np.floating]) -> Moments:
        scaled = torch.from_numpy(((further - mean) / spread).astype(np.float32))
        stream = MomentStream()
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad(), evaluating(head):
            for _ in range(_PASSES):
                drawn = drawn_sequence(head, generator)
                stream.add(drawn(scaled).softmax(1).T[..., None].numpy())
        return stream.moments()

    return said
