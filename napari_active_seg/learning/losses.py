"""Losses on labelled pixels alone."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from napari_active_seg.errors import BadInputError
from napari_active_seg.regions import UNLABELLED

__all__ = ["masked_cross_entropy"]


def masked_cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    """Return the mean over *labelled* pixels of -log p of the label.

    ``logits`` (N, C, H, W), ``target`` (N, H, W) with 255 for "not labelled". Such a pixel
    adds nothing to the value, its gradient or the divisor. A batch without any label is
    refused: its mean would be NaN, and silently 0 would hide a fault.
    """
    labelled = int((target != UNLABELLED).sum())
    if labelled == 0:
        raise BadInputError("the batch holds no labelled pixel; draw crops where labels are")
    total = F.cross_entropy(
        logits.float(), target.to(torch.long), ignore_index=UNLABELLED, reduction="sum"
    )
    return total / labelled
