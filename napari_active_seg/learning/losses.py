"""Losses on labelled pixels alone.

An unlabelled pixel (255) adds nothing to any value, gradient or divisor. A batch without any
label is refused: its mean would be NaN, and silently 0 would hide a fault.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from napari_active_seg.errors import BadInputError, ConfigError, did_you_mean
from napari_active_seg.learning.networks import Heads
from napari_active_seg.regions import UNLABELLED

__all__ = [
    "LOSSES",
    "heads_loss",
    "loss_named",
    "masked_cross_entropy",
    "masked_dice",
    "masked_focal",
    "pixel_losses",
    "ranking_loss",
]

_FOCUS = 2.0
_SMOOTH = 1.0


def masked_cross_entropy(
    logits: Tensor, target: Tensor, class_weights: Tensor | None = None
) -> Tensor:
    """Return the mean over labelled pixels of -log p of the label.

    ``logits`` (N, C, H, W), ``target`` (N, H, W) with 255 for "not labelled". With weights (C,)
    it is the weighted mean: each pixel counts, in sum and divisor, by the weight of its label.
    """
    _refuse_without_labels(target)
    total = F.cross_entropy(
        logits.float(),
        target.to(torch.long),
        weight=class_weights,
        ignore_index=UNLABELLED,
        reduction="sum",
    )
    return total / _weight_of_labels(target, class_weights)


def masked_focal(logits: Tensor, target: Tensor, class_weights: Tensor | None = None) -> Tensor:
    """Return the mean over labelled pixels of (1 - p)^2 (-log p) of the label."""
    _refuse_without_labels(target)
    log_p = torch.log_softmax(logits.float(), dim=1)
    labelled = target != UNLABELLED
    label = torch.where(labelled, target, 0).to(torch.long)
    of_label = log_p.gather(1, label[:, None])[:, 0]
    losses = -((1 - of_label.exp()) ** _FOCUS) * of_label
    if class_weights is not None:
        losses = losses * class_weights[label]
    total = torch.where(labelled, losses, 0.0).sum()
    return total / _weight_of_labels(target, class_weights)


def masked_dice(logits: Tensor, target: Tensor, class_weights: Tensor | None = None) -> Tensor:
    """Return 1 - Dice, the (weighted) mean over the classes that are labelled in the batch.

    All sums run over labelled pixels alone: an unlabelled one in the denominator would pull p
    towards 1/2.
    """
    _refuse_without_labels(target)
    p = torch.softmax(logits.float(), dim=1)
    labelled = target != UNLABELLED
    label = torch.where(labelled, target, 0).to(torch.long)
    truth = F.one_hot(label, logits.shape[1]).movedim(-1, 1) * labelled[:, None]
    p = torch.where(labelled[:, None], p, 0.0)
    axes = (0, 2, 3)
    overlap, total = (p * truth).sum(axes), p.sum(axes) + truth.sum(axes)
    dice = (2 * overlap + _SMOOTH) / (total + _SMOOTH)
    weights = (truth.sum(axes) > 0).float()
    if class_weights is not None:
        weights = weights * class_weights
    return ((1 - dice) * weights).sum() / weights.sum()


def _both(logits: Tensor, target: Tensor, class_weights: Tensor | None = None) -> Tensor:
    return masked_cross_entropy(logits, target, class_weights) + masked_dice(
        logits, target, class_weights
    )


LossFunction = Callable[[Tensor, Tensor, Tensor | None], Tensor]

LOSSES: dict[str, LossFunction] = {
    "cross-entropy": masked_cross_entropy,
    "dice": masked_dice,
    "focal": masked_focal,
    "cross-entropy+dice": _both,
}


def loss_named(name: str) -> LossFunction:
    """Return the loss called ``name``, or raise ConfigError with the known names."""
    if name not in LOSSES:
        raise ConfigError(f"no loss {name!r}: {did_you_mean(name, LOSSES)}")
    return LOSSES[name]


def heads_loss(
    heads: Heads,
    target: Tensor,
    contour: Tensor | None,
    *,
    auxiliary_weight: float,
    loss: LossFunction = masked_cross_entropy,
    class_weights: Tensor | None = None,
) -> Tensor:
    """Return equation 9 of the calibration paper without its weight decay (the optimiser's part).

    The loss of the fused prediction plus ``auxiliary_weight`` times those of the single levels,
    for objects and, where the network draws them, for outlines. Outlines are rare, and where a crop
    knows of none of them their terms are left out.
    """
    total = loss(heads.logits, target, class_weights)
    for level in heads.auxiliary:
        total = total + auxiliary_weight * loss(level, target, class_weights)
    if heads.contour is None or contour is None or not bool((contour != UNLABELLED).any()):
        return total
    total = total + masked_cross_entropy(heads.contour, contour)
    for level in heads.contour_auxiliary:
        total = total + auxiliary_weight * masked_cross_entropy(level, contour)
    return total


def pixel_losses(logits: Tensor, target: Tensor) -> Tensor:
    """Return -log p of the label of each pixel (N, H, W); 0 where there is none."""
    return F.cross_entropy(
        logits.float(), target.to(torch.long), ignore_index=UNLABELLED, reduction="none"
    )


def ranking_loss(expected: Tensor, actual: Tensor, *, margin: float = 1.0) -> Tensor:
    """Return the loss of a module that foretells losses (N,), from mirrored pairs (i, N-1-i).

    Only the order in a pair counts: max(0, margin - sign(a_i - a_j) (e_i - e_j)). N must be even;
    the actual losses give no gradient.
    """
    if len(expected) % 2 or len(expected) != len(actual):
        raise BadInputError(f"pairs need an even number, got {len(expected)} and {len(actual)}")
    half = len(expected) // 2
    e, a = expected - expected.flip(0), (actual - actual.flip(0)).detach()
    return F.relu(margin - torch.sign(a[:half]) * e[:half]).mean()


def _refuse_without_labels(target: Tensor) -> None:
    if not bool((target != UNLABELLED).any()):
        raise BadInputError("the batch holds no labelled pixel; draw crops where labels are")


def _weight_of_labels(target: Tensor, class_weights: Tensor | None) -> Tensor:
    """Return the number of labelled pixels, or the sum of their weights."""
    labelled = target != UNLABELLED
    if class_weights is None:
        return labelled.sum()
    total: Tensor = class_weights[target[labelled].to(torch.long)].sum()
    return total
