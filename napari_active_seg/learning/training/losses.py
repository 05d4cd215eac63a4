"""Losses on labelled pixels alone.

An unlabelled pixel (255) adds nothing to any value, gradient or divisor. A batch without any
label is refused: its mean would be NaN, and silently 0 would hide a fault. Where several processes
train together, sums run over all of them (``ranks.py``).

Crops are drawn by labelled pixels, so that a pixel is seen as often as there are labels about it.
Each crop counts as one therefore, however much of it is labelled, and all labelled pixels count
alike over a training: by the pixel, a few whole images would drown many small regions.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from napari_active_seg.errors import BadInputError, ConfigError, did_you_mean
from napari_active_seg.learning.networks import Heads
from napari_active_seg.learning.training.distributed import (
    all_reduce_sum,
    all_reduce_with_grad,
    n_ranks,
)
from napari_active_seg.regions import UNLABELLED

__all__ = [
    "LOSSES",
    "balancing_weights",
    "confident_cross_entropy",
    "get_loss",
    "heads_loss",
    "masked_cross_entropy",
    "masked_dice",
    "masked_focal",
    "pixel_losses",
    "ranking_loss",
    "sharpened_divergence",
]

_FOCUS = 2.0
_SMOOTH = 1.0


def masked_cross_entropy(
    logits: Tensor, target: Tensor, class_weights: Tensor | None = None
) -> Tensor:
    """Return the mean over crops of the mean over their labelled pixels of -log p of the label.

    ``logits`` (N, C, H, W), ``target`` (N, H, W) with 255 for "not labelled"; crops without a label
    count nowhere. With weights (C,) each pixel counts, in sum and divisor, by the weight of its
    label.
    """
    _check_has_labels(target)
    return _weighted_mean(pixel_losses(logits, target), target, class_weights)


def masked_focal(logits: Tensor, target: Tensor, class_weights: Tensor | None = None) -> Tensor:
    """Return the mean over crops, and their labelled pixels, of (1 - p)^2 (-log p) of the label."""
    _check_has_labels(target)
    log_p = torch.log_softmax(logits.float(), dim=1)
    labelled = target != UNLABELLED
    label = torch.where(labelled, target, 0).to(torch.long)
    of_label = log_p.gather(1, label[:, None])[:, 0]
    losses = -((1 - of_label.exp()) ** _FOCUS) * of_label
    return _weighted_mean(torch.where(labelled, losses, 0.0), target, class_weights)


def masked_dice(logits: Tensor, target: Tensor, class_weights: Tensor | None = None) -> Tensor:
    """Return 1 - Dice, the (weighted) mean over the classes that are labelled in the batch.

    All sums run over labelled pixels alone: an unlabelled one in the denominator would pull p
    towards 1/2.
    """
    _check_has_labels(target)
    p = torch.softmax(logits.float(), dim=1)
    labelled = target != UNLABELLED
    label = torch.where(labelled, target, 0).to(torch.long)
    truth = F.one_hot(label, logits.shape[1]).movedim(-1, 1) * labelled[:, None]
    p = torch.where(labelled[:, None], p, 0.0)
    axes = (0, 2, 3)
    overlap = all_reduce_with_grad((p * truth).sum(axes))
    total = all_reduce_with_grad(p.sum(axes) + truth.sum(axes))
    dice = (2 * overlap + _SMOOTH) / (total + _SMOOTH)
    weights = (all_reduce_sum(truth.sum(axes)) > 0).float()
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


def get_loss(name: str) -> LossFunction:
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
    if heads.contour is None or contour is None:
        return total
    if int(all_reduce_sum((contour != UNLABELLED).sum())) == 0:
        return total
    total = total + masked_cross_entropy(heads.contour, contour)
    for level in heads.contour_auxiliary:
        total = total + auxiliary_weight * masked_cross_entropy(level, contour)
    return total


def confident_cross_entropy(
    logits: Tensor, probs: Tensor, *, threshold: float, valid: Tensor | None = None
) -> Tensor:
    """Return the cross-entropy of ``logits`` against the classes that ``probs`` is sure of.

    ``logits`` and ``probs`` (N, C, ...); places whose highest probability is below ``threshold``
    add nothing, yet count in the divisor, so that a network that is sure of little is taught
    little. ``valid`` (N, ...) marks the places inside the images. ``probs`` gives no gradient.
    """
    sure, label = probs.detach().max(dim=1)
    there = torch.ones_like(sure, dtype=torch.bool) if valid is None else valid
    losses = F.cross_entropy(logits.float(), label, reduction="none")
    total = torch.where(there & (sure >= threshold), losses, 0.0).sum()
    return all_reduce_with_grad(total / all_reduce_sum(there.sum()).clamp_min(1))


def sharpened_divergence(
    logits: Tensor, plain: Tensor, *, temperature: float = 0.5, threshold: float = 0.6
) -> Tensor:
    """Return the loss of unsupervised data augmentation (Xie et al. 2020) over rows (N, C).

    KL between the prediction of the ``plain`` picture, sharpened by ``temperature``, and
    that of the augmented one (``logits``), over rows whose highest plain probability is at
    least ``threshold``; the others add nothing, yet count. ``plain`` gives no gradient.
    """
    plain = plain.detach().float()
    aim = torch.softmax(plain / temperature, dim=1)
    sure = torch.softmax(plain, dim=1).max(dim=1).values >= threshold
    log_q = torch.log_softmax(logits.float(), dim=1)
    divergence = -(torch.special.entr(aim) + aim * log_q).sum(dim=1)
    return all_reduce_with_grad(torch.where(sure, divergence, 0.0).mean() / n_ranks())


def balancing_weights(counts: Tensor) -> Tensor:
    """Return a weight for each class (C,), the median count over its own, 0.1 to 10.

    Classes without a label weigh 1.
    """
    counts = counts.double()
    seen = counts > 0
    weights = torch.ones_like(counts)
    weights[seen] = (counts[seen].median() / counts[seen]).clamp(0.1, 10)
    return weights.float()


def pixel_losses(logits: Tensor, target: Tensor) -> Tensor:
    """Return -log p of the label of each pixel (N, H, W); 0 where there is none."""
    return F.cross_entropy(
        logits.float(), target.to(torch.long), ignore_index=UNLABELLED, reduction="none"
    )


def ranking_loss(expected: Tensor, actual: Tensor, *, margin: float = 1.0) -> Tensor:
    """Return the loss of a module that predicts losses (N,), from mirrored pairs (i, N-1-i).

    Only the order in a pair counts: max(0, margin - sign(a_i - a_j) (e_i - e_j)). N must be even;
    the actual losses give no gradient.
    """
    if len(expected) % 2 or len(expected) != len(actual):
        raise BadInputError(f"pairs need an even number, got {len(expected)} and {len(actual)}")
    half = len(expected) // 2
    e, a = expected - expected.flip(0), (actual - actual.flip(0)).detach()
    return all_reduce_with_grad(F.relu(margin - torch.sign(a[:half]) * e[:half]).mean() / n_ranks())


def _check_has_labels(target: Tensor) -> None:
    if int(all_reduce_sum((target != UNLABELLED).sum())) == 0:
        raise BadInputError("the batch holds no labelled pixel; draw crops where labels are")


def _weighted_mean(losses: Tensor, target: Tensor, class_weights: Tensor | None) -> Tensor:
    """Return the mean of losses (N, H, W), each pixel by its crop's and its class's weight."""
    labelled = target != UNLABELLED
    of_crop = 1 / labelled.sum(dim=(1, 2), keepdim=True).clamp_min(1)
    weights = labelled * of_crop
    if class_weights is not None:
        weights = weights * class_weights[torch.where(labelled, target, 0).to(torch.long)]
    return all_reduce_with_grad((losses * weights).sum() / all_reduce_sum(weights.sum()))
