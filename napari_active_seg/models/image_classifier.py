"""The interface between studies of whole images and any network: numpy in, numpy out.

Images are one stack (N, H, W, 3 or 1) uint8, labels (N,) uint8. Predictions are moments
of shape (C, N, 1): a column of pixels, one an image, so that every measure of uncertainty, score
and calibration is the one that segmentation uses.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.acquisition import CostExample, FittedCost
from napari_active_seg.uncertainty import Moments

__all__ = ["Classifier", "ImageNetworks", "ImageTraining"]


@dataclass(frozen=True, slots=True)
class ImageTraining:
    """How a classifier learns.

    ``decay`` is c in the penalty c / N times the squared weights behind dropout, N being how many
    images it learns from; ``weight_decay`` that of the optimiser on all weights. ``strong`` crops,
    flips, changes and cuts out what is shown. ``predicts_loss`` trains a module that
    predicts the loss of each image. ``unlabelled`` images without labels are in each step, which
    changes must not rename where the network is surer than ``threshold``.
    """

    steps: int = 300
    batch: int = 32
    learning_rate: float = 1e-3
    decay: float = 0.0
    seed: int = 0
    optimiser: str = "adam"
    schedule: str = "constant"
    weight_decay: float = 0.0
    strong: bool = False
    predicts_loss: bool = False
    unlabelled: int = 0
    temperature: float = 0.5
    threshold: float = 0.6
    precision: str = "float32"


class Classifier(Protocol):
    """A network for whole images."""

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

        It also learns from ``without_labels`` where ``plan.unlabelled`` is above 0.
        """

    def predict(
        self,
        images: NDArray[np.uint8],
        *,
        passes: int,
        seed: int,
        check_cancelled: Callable[[], None],
    ) -> Moments:
        """Return the moments (C, N, 1) of passes with dropout; 0 passes is a plain one.

        Where it learned to predict its losses, the moments have them as extras.
        """

    def features(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the features of images (N, F) before the network's first dropout."""


class ImageNetworks(Protocol):
    """Builds networks for whole images."""

    def build(
        self,
        network: str,
        *,
        shape: tuple[int, int, int],
        n_classes: int,
        seed: int,
        weights: str = "random",
    ) -> Classifier:
        """Return an untrained classifier of images (H, W, channels)."""

    def fit_cost(
        self,
        examples: Sequence[CostExample],
        *,
        seed: int,
        check_cancelled: Callable[[], None],
    ) -> FittedCost:
        """Return a fitted cost model, and its cross-validated cost of each example."""
