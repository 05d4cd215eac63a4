"""A classifier with torch: everything it learns from lies on the device as one tensor."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from napari_active_seg.classifier import ImageTraining
from napari_active_seg.errors import ConfigError, NothingToDoError, did_you_mean
from napari_active_seg.learning.classification.bayesian_cnn import BayesianCnn
from napari_active_seg.learning.classification.drawn_layers import drawn_sequence
from napari_active_seg.learning.classification.vgg import vgg16, vgg16_small
from napari_active_seg.learning.devices import resolve_device
from napari_active_seg.learning.modes import evaluating, seeded, training
from napari_active_seg.learning.weights import KnownWeights, fill_features, starting_weights
from napari_active_seg.uncertainty import Moments, MomentStream

__all__ = ["NETWORKS", "TorchClassifier", "build_classifier"]

#: Networks for whole images by name: each has ``features``, a ``head`` of dense layers with
#: dropout, and names the weights that are ``decayed``.
NETWORKS: dict[str, Callable[[tuple[int, int, int], int], Any]] = {
    "bayesian-cnn": BayesianCnn,
    "vgg16": vgg16,
    "vgg16-small": vgg16_small,
}
#: Published weights, and the parts of their names that become parts of ours.
_PUBLISHED = {
    "vgg16": (
        KnownWeights(
            "vgg16-397923af.pth", "https://download.pytorch.org/models/vgg16-397923af.pth"
        ),
        {"features.": "body.", "classifier.": "head."},
    )
}
#: So many images go through the network at a time when nothing is learned.
_AT_A_TIME = 100


def build_classifier(
    network: str,
    *,
    shape: tuple[int, int, int],
    n_classes: int,
    seed: int,
    weights: str = "random",
    device: str = "auto",
) -> TorchClassifier:
    """Return an untrained classifier; its first weights hang on ``seed`` alone.

    ``weights`` is random, pretrained, or a file; the last layer is always new.
    """
    if network not in NETWORKS:
        raise ConfigError(f"no network {network!r} for images: {did_you_mean(network, NETWORKS)}")
    place = resolve_device(device)
    with seeded(seed, place):
        made = NETWORKS[network](shape, n_classes)
    known, names = _PUBLISHED.get(network, (None, {}))
    start = starting_weights(weights, known, network)
    if start.path is not None:
        fill_features(made, start.path, names)
    return TorchClassifier(made, place)


class TorchClassifier:
    """A network with dropout behind features that do not draw."""

    def __init__(self, network: Any, device: torch.device) -> None:
        self._network = network.to(device).to(memory_format=torch.channels_last)
        self._device = device

    def train(
        self,
        images: NDArray[np.uint8],
        labels: NDArray[np.uint8],
        *,
        plan: ImageTraining,
        check_cancelled: Callable[[], None],
    ) -> tuple[float, ...]:
        """Learn from all of ``images`` and return the loss of each step.

        Each image is seen once before one is seen again.
        """
        if not len(images):
            raise NothingToDoError("there is no labelled image to learn from")
        pixels, truth = self._pixels(images), torch.from_numpy(labels.astype(np.int64))
        truth = truth.to(self._device)
        optimiser = torch.optim.Adam(self._network.parameters(), lr=plan.learning_rate)
        penalty = plan.decay / len(images)
        losses: list[float] = []
        with training(self._network), seeded(plan.seed, self._device):
            for rows in _batches(len(images), plan):
                check_cancelled()
                rows = rows.to(self._device)
                loss = F.cross_entropy(self._network(pixels[rows]), truth[rows])
                squares = [weights.square().sum() for weights in self._network.decayed()]
                optimiser.zero_grad()
                (loss + penalty * torch.stack(squares).sum()).backward()
                optimiser.step()
                losses.append(float(loss.detach()))
        return tuple(losses)

    def predict(
        self,
        images: NDArray[np.uint8],
        *,
        passes: int,
        seed: int,
        check_cancelled: Callable[[], None],
    ) -> Moments:
        """Return the moments (C, N, 1) of passes with dropout; 0 passes is a plain one.

        A pass is one draw of the weights, the same for all images.
        """
        stream = MomentStream()
        with torch.no_grad(), evaluating(self._network):
            found = [self._network.features(part) for part in self._parts(images)]
            generator = torch.Generator().manual_seed(seed)
            for _ in range(max(passes, 1)):
                check_cancelled()
                head = self._network.head
                head = drawn_sequence(head, generator) if passes else head
                said = torch.cat([head(part).softmax(1) for part in found])
                stream.add(said.T[..., None].cpu().numpy())
        return stream.moments()

    def features(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return what the network makes of images before its first dropout (N, F)."""
        with torch.no_grad(), evaluating(self._network):
            found = [self._network.features(part).cpu() for part in self._parts(images)]
        return torch.cat(found).numpy()

    def _parts(self, images: NDArray[np.uint8]) -> Iterator[Tensor]:
        for start in range(0, len(images), _AT_A_TIME):
            yield self._pixels(images[start : start + _AT_A_TIME])

    def _pixels(self, images: NDArray[np.uint8]) -> Tensor:
        stack = torch.tensor(images, device=self._device)
        planes = stack.permute(0, 3, 1, 2).float() / 255
        return planes.contiguous(memory_format=torch.channels_last)


def _batches(n_images: int, plan: ImageTraining) -> Iterator[Tensor]:
    """Yield the places of each step's images: one shuffled round through all after another."""
    generator = torch.Generator().manual_seed(plan.seed)
    given = 0
    while given < plan.steps:
        for rows in torch.randperm(n_images, generator=generator).split(plan.batch):
            if given < plan.steps:
                yield rows
            given += 1
