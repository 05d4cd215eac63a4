"""Pictures of the pool that nobody has labelled, and what a network can learn from them.

- ``Consistency``: weak to strong (FixMatch, Sohn et al. 2020; UniMatch, Yang et al. 2023).
  Confident predictions of a plain view are the target for the same view under strong
  changes, with rectangles of other pictures mixed in (CutMix).
- ``Adversarial``: s4GAN (Mittal et al. 2019). A discriminator learns to distinguish predicted masks
  from painted ones; the network learns to make its predictions look painted, and from those of its
  own predictions that pass.

A prediction is never saved as a label.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from napari_active_seg.errors import NothingToDoError
from napari_active_seg.learning.module_modes import evaluating, fixed
from napari_active_seg.learning.networks import Network
from napari_active_seg.learning.networks.auxiliary_heads import Discriminator
from napari_active_seg.learning.training.augmentation import Augmentation, Warp
from napari_active_seg.learning.training.cutmix import apply_cutmix, draw_mix_boxes
from napari_active_seg.learning.training.losses import confident_cross_entropy
from napari_active_seg.learning.training.objectives import NetworkAlone, Terms
from napari_active_seg.learning.training.optimisation import StepInfo
from napari_active_seg.models.segmenter import TrainExample
from napari_active_seg.regions import UNLABELLED

__all__ = ["Adversarial", "Consistency", "PaintedCrops", "UnlabelledCrops"]

#: Predictions are too poor as targets before a network has learned from labels.
_FROM_SHARE = 0.1
#: Painted crops smaller than this show too little of the shapes.
_LEAST_PAINTED = 16


class UnlabelledCrops:
    """Draws squares of unlabelled pictures, turned and flipped."""

    def __init__(
        self,
        draw_window: Callable[[np.random.Generator, int], NDArray[np.uint8]],
        *,
        count: int,
        side: int,
        augmentation: Augmentation,
    ) -> None:
        self._draw_window = draw_window
        self._count, self.side = count, side
        self.augmentation = augmentation

    def draw(self, rng: np.random.Generator) -> list[Tensor]:
        """Return squares (3, side, side) uint8."""
        blank = np.full((1, self.side, self.side), UNLABELLED, np.uint8)
        drawn = []
        for _ in range(self._count):
            window = self._draw_window(rng, self.side)
            drawn.append(self.augmentation.moved(window, blank, Warp(), self.side, rng)[0])
        return drawn


class Consistency(NetworkAlone):
    """Consistency: confident predictions of a plain view are the target of an augmented one."""

    def __init__(
        self,
        network: Network,
        crops: UnlabelledCrops,
        *,
        teacher: Network,
        threshold: float,
        device: torch.device,
    ) -> None:
        self._network, self._teacher, self._crops = network, teacher, crops
        self._threshold, self._device = threshold, device
        self._strong = crops.augmentation.strong()

    def terms(self, rng: np.random.Generator, moment: StepInfo) -> Terms:
        """Return the cross-entropy of the spoilt views against what the plain ones are sure of."""
        squares = self._crops.draw(rng)
        if moment.share <= _FROM_SHARE:
            return Terms(torch.zeros((), device=self._device))
        weak = torch.stack([s.float() / 255 for s in squares]).to(self._device)
        strong = torch.stack([self._strong.augment_colour(s, rng) for s in squares]).to(
            self._device
        )
        with torch.no_grad(), evaluating(self._teacher):
            probs = torch.softmax(self._teacher(weak).float(), dim=1)
        size = (self._crops.side, self._crops.side)
        boxes = draw_mix_boxes(len(squares), size, rng)
        probs = apply_cutmix(probs, boxes)
        logits = self._network(apply_cutmix(strong, boxes))
        loss = confident_cross_entropy(logits, probs, threshold=self._threshold)
        sure = float((probs.amax(dim=1) >= self._threshold).float().mean())
        return Terms(loss, {"consistency": float(loss.detach()), "sure": sure})


class PaintedCrops:
    """Squares in which every pixel was painted, so that they show what a true mask looks like."""

    def __init__(self, examples: Sequence[TrainExample], *, most: int, stride: int) -> None:
        sides = [_largest_painted(example.target, most) for example in examples]
        side = max(sides, default=0) // stride * stride
        if side < _LEAST_PAINTED:
            raise NothingToDoError(
                "no region is painted whole over 16 x 16 pixels or more, and only such regions "
                "show what masks look like; paint some whole, or choose 'consistency'"
            )
        self.side = side
        self._examples = [e for e, own in zip(examples, sides, strict=True) if own >= side]
        self._corners = [np.argwhere(_painted_squares(e.target, side)) for e in self._examples]

    def draw(self, count: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Return images (N, 3, side, side) in 0..1 and their classes (N, side, side)."""
        images, targets = [], []
        for _ in range(count):
            number = int(rng.integers(len(self._examples)))
            example, corners = self._examples[number], self._corners[number]
            y, x = corners[int(rng.integers(len(corners)))]
            window = (slice(y, y + self.side), slice(x, x + self.side))
            turns, flip = int(rng.integers(4)), bool(rng.integers(2))
            image = np.rot90(example.image[window], turns)
            target = np.rot90(example.target[window], turns)
            if flip:
                image, target = image[:, ::-1], target[:, ::-1]
            images.append(torch.from_numpy(image.transpose(2, 0, 1).copy()))
            targets.append(torch.from_numpy(target.copy()))
        return torch.stack(images).float() / 255, torch.stack(targets)


class Adversarial:
    """Feature matching and self-training under a discriminator."""

    #: Weights of the terms, as the authors have them.
    _matching, _self_training = 0.1, 1.0

    def __init__(
        self,
        network: Network,
        crops: UnlabelledCrops,
        painted: PaintedCrops,
        *,
        discriminator: Discriminator,
        n_classes: int,
        threshold: float,
        device: torch.device,
        learning_rate: float = 1e-4,
    ) -> None:
        self._network, self._crops, self._painted = network, crops, painted
        self._discriminator, self._n_classes = discriminator, n_classes
        self._threshold, self._device = threshold, device
        self.modules = (discriminator,)
        self.optimisers = (
            torch.optim.Adam(discriminator.parameters(), lr=learning_rate, betas=(0.9, 0.99)),
        )
        self._own_loss: Tensor | None = None

    def parameters(self) -> Sequence[nn.Parameter]:
        """Return nothing: the discriminator has an optimiser of its own."""
        return []

    def terms(self, rng: np.random.Generator, moment: StepInfo) -> Terms:
        """Return 0.1 x feature matching + self-training on predictions that look painted."""
        squares = self._crops.draw(rng)
        images = torch.stack([s.float() / 255 for s in squares]).to(self._device)
        logits = self._network(images)
        probs = torch.softmax(logits.float(), dim=1)
        real_images, classes = self._painted.draw(len(images), rng)
        real_images = real_images.to(self._device)
        real = F.one_hot(classes.to(self._device, torch.long), self._n_classes)
        real = real.movedim(-1, 1).to(probs)
        with fixed(self._discriminator):
            score, features = self._discriminator(probs, images)
        self._own_loss, real_features = self._discriminator_loss(
            (probs.detach(), images), (real, real_images)
        )
        matching = (features.mean(dim=0) - real_features.mean(dim=0)).abs().mean()
        total = self._matching * matching
        passes = torch.sigmoid(score.detach()) > self._threshold
        parts = {"matching": float(matching.detach()), "passing": float(passes.float().mean())}
        if moment.step > 1 and bool(passes.any()):
            own = probs.detach().argmax(dim=1)
            total = total + self._self_training * F.cross_entropy(logits[passes], own[passes])
        return Terms(total, parts)

    def after_step(self) -> None:
        """Let the discriminator learn from the predictions and masks of this step."""
        if self._own_loss is None:
            return
        optimiser = self.optimisers[0]
        optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(self._own_loss)
        optimiser.step()
        self._own_loss = None

    def _discriminator_loss(
        self, predicted: tuple[Tensor, Tensor], painted: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Return the discriminator's own loss, and the features of what was painted.

        Its gradients are not scaled up, so that float16 would lose the small ones.
        """
        kind = self._device.type
        half = torch.is_autocast_enabled(kind) and torch.get_autocast_dtype(kind) != torch.float16
        with torch.autocast(kind, enabled=half):
            fake, _ = self._discriminator(*predicted)
            real, features = self._discriminator(*painted)
        fake, real = fake.float(), real.float()
        loss = F.binary_cross_entropy_with_logits(fake, torch.zeros_like(fake))
        loss = loss + F.binary_cross_entropy_with_logits(real, torch.ones_like(real))
        return loss, features.detach()


def _largest_painted(target: NDArray[np.uint8], most: int) -> int:
    """Return the side of the largest square without a 255, at most ``most``."""
    low, high = 0, min(most, *target.shape)
    while low < high:
        side = (low + high + 1) // 2
        if _painted_squares(target, side).any():
            low = side
        else:
            high = side - 1
    return low


def _painted_squares(target: NDArray[np.uint8], side: int) -> NDArray[np.bool_]:
    """Return the corners (y, x) at which a square of ``side`` pixels holds no 255."""
    sums = np.pad((target == UNLABELLED).cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    holes = sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]
    return np.asarray(holes == 0)
