"""A classifier with torch: all training data is on the device as one tensor."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_active_seg.errors import ConfigError, NothingToDoError, did_you_mean
from napari_active_seg.learning.classification.bayesian_cnn import BayesianCnn
from napari_active_seg.learning.classification.dropout_weights import sample_weights
from napari_active_seg.learning.classification.loss_prediction import ImageLossPredictor
from napari_active_seg.learning.classification.resnet import fine_tuned_resnet18
from napari_active_seg.learning.classification.vgg import vgg16, vgg16_small
from napari_active_seg.learning.classification.wide_resnet import wrn_10_1, wrn_28_2
from napari_active_seg.learning.devices import resolve_device
from napari_active_seg.learning.module_modes import evaluating, seeded
from napari_active_seg.learning.training.classification import (
    ImagesWithPredictedLoss,
    LabelledImages,
    SmallWeights,
    UnlabelledImages,
)
from napari_active_seg.learning.training.objectives import Objective
from napari_active_seg.learning.training.optimisation import OptimiserConfig
from napari_active_seg.learning.training.trainer import fit
from napari_active_seg.learning.weights import KnownWeights, fill_features, starting_weights
from napari_active_seg.models.image_classifier import ImageTraining
from napari_active_seg.uncertainty import Moments, MomentStream

__all__ = ["NETWORKS", "TorchClassifier", "build_classifier"]

#: Networks for whole images by name: each has ``features``, a ``head`` of dense layers with
#: dropout or of one layer, and names the weights that are ``get_decayed_parameters``.
NETWORKS: dict[str, Callable[[tuple[int, int, int], int], Any]] = {
    "bayesian-cnn": BayesianCnn,
    "vgg16": vgg16,
    "vgg16-small": vgg16_small,
    "wrn-28-2": wrn_28_2,
    "wrn-10-1": wrn_10_1,
    "resnet18": fine_tuned_resnet18,
}
#: Published weights, and the parts of their names that become parts of ours.
_PUBLISHED = {
    "vgg16": (
        KnownWeights(
            "vgg16-397923af.pth", "https://download.pytorch.org/models/vgg16-397923af.pth"
        ),
        {"features.": "body.", "classifier.": "head."},
    ),
    "resnet18": (
        KnownWeights(
            "resnet18-f37072fd.pth", "https://download.pytorch.org/models/resnet18-f37072fd.pth"
        ),
        {"fc.": "head.0.", "": "body."},
    ),
}
#: Images that go through the network at a time in inference.
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
    """Return an untrained classifier; its initial weights depend on ``seed`` alone.

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
        self._predictor: ImageLossPredictor | None = None
        self._precision = "float32"

    def train(
        self,
        images: NDArray[np.uint8],
        labels: NDArray[np.uint8],
        *,
        plan: ImageTraining,
        check_cancelled: Callable[[], None],
        without_labels: NDArray[np.uint8] | None = None,
    ) -> tuple[float, ...]:
        """Train on ``images`` and return the loss of each step.

        Each image is seen once before one is seen again. It also learns from
        ``without_labels`` where ``plan.unlabelled`` is above 0.
        """
        if not len(images):
            raise NothingToDoError("no labelled image to learn from")
        learning = self._from_labels(images, labels, plan)
        objectives: list[Objective] = [learning]
        if plan.decay:
            get_decayed_parameters = self._network.get_decayed_parameters()
            objectives.append(SmallWeights(get_decayed_parameters, plan.decay / len(images)))
        if plan.unlabelled and without_labels is not None and len(without_labels):
            objectives.append(self._from_unlabelled(without_labels, plan))
        recipe = OptimiserConfig(
            plan.steps,
            plan.learning_rate,
            optimiser=plan.optimiser,
            schedule=plan.schedule,
            weight_decay=plan.weight_decay,
            precision=plan.precision,
        )
        self._precision = plan.precision
        outcome = fit(
            self._network,
            objectives,
            recipe,
            per_epoch=learning.per_epoch,
            seed=plan.seed,
            device=self._device,
            on_step=lambda _: None,
            check_cancelled=check_cancelled,
        )
        return outcome.losses

    def _from_labels(
        self, images: NDArray[np.uint8], labels: NDArray[np.uint8], plan: ImageTraining
    ) -> LabelledImages:
        """Return the objective on labelled images, with a loss predictor where ``plan`` has one."""
        pixels = self._pixels(images)
        truth = torch.from_numpy(labels.astype(np.int64)).to(self._device)
        change = _strongly if plan.strong else None
        self._predictor = None
        if not plan.predicts_loss:
            return LabelledImages(self._network, pixels, truth, batch=plan.batch, change=change)
        if not hasattr(self._network, "stages"):
            raise ConfigError("only residual networks support loss prediction")
        with seeded(plan.seed, self._device):
            self._predictor = ImageLossPredictor(self._network.stage_widths).to(self._device)
        return ImagesWithPredictedLoss(
            self._network,
            pixels,
            truth,
            predictor=self._predictor,
            batch=plan.batch,
            change=change,
        )

    def _from_unlabelled(self, images: NDArray[np.uint8], plan: ImageTraining) -> UnlabelledImages:
        return UnlabelledImages(
            self._network,
            self._pixels(images),
            batch=plan.unlabelled,
            change=_strongly,
            temperature=plan.temperature,
            threshold=plan.threshold,
        )

    def predict(
        self,
        images: NDArray[np.uint8],
        *,
        passes: int,
        seed: int,
        check_cancelled: Callable[[], None],
    ) -> Moments:
        """Return the moments (C, N, 1) of passes with dropout; 0 passes is a plain one.

        A pass is one draw of the weights, the same for all images. Where it learned to predict its
        losses, the moments have them as extras.
        """
        stream = MomentStream()
        with torch.no_grad(), evaluating(self._network):
            found = [self._before_dropout(part) for part in self._parts(images)]
            generator = torch.Generator().manual_seed(seed)
            for _ in range(max(passes, 1)):
                check_cancelled()
                head = self._network.head
                head = sample_weights(head, generator) if passes else head
                logits_softmax = torch.cat([head(part).softmax(1) for part in found])
                stream.add(logits_softmax.T[..., None].cpu().numpy())
        return replace(stream.moments(), extras=self._predict_losses(images))

    def features(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the features of images (N, F) before the network's first dropout."""
        with torch.no_grad(), evaluating(self._network):
            found = [self._before_dropout(part).cpu() for part in self._parts(images)]
        return torch.cat(found).numpy()

    def _before_dropout(self, part: Tensor) -> Tensor:
        """Return what does not draw, in the precision of the training, as float32."""
        half = self._precision != "float32"
        kind = getattr(torch, self._precision)
        with torch.autocast(self._device.type, kind, enabled=half):
            found: Tensor = self._network.features(part)
        return found.float()

    def _predict_losses(self, images: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
        """Return the predicted loss of each image, where a loss predictor was trained."""
        if self._predictor is None:
            return {}
        with torch.no_grad(), evaluating(self._network):
            parts = [
                self._predictor(self._network.stages(part)).cpu() for part in self._parts(images)
            ]
        return {"learned-loss": torch.cat(parts).numpy()[:, None]}

    def _parts(self, images: NDArray[np.uint8]) -> Iterator[Tensor]:
        for start in range(0, len(images), _AT_A_TIME):
            yield self._pixels(images[start : start + _AT_A_TIME])

    def _pixels(self, images: NDArray[np.uint8]) -> Tensor:
        stack = torch.tensor(images, device=self._device)
        planes = stack.permute(0, 3, 1, 2).float() / 255
        return planes.contiguous(memory_format=torch.channels_last)


def _strongly(images: Tensor, rng: np.random.Generator) -> Tensor:
    """Augment images strongly."""
    from napari_active_seg.learning.classification.augmentation import augment_strongly

    return augment_strongly(images, rng)
