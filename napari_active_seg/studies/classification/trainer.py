"""Train the networks of an arm, each from random or published weights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.calibration import ProbabilityScores
from napari_active_seg.models.image_classifier import Classifier, ImageNetworks, ImageTraining
from napari_active_seg.studies.classification.learners import never_cancelled
from napari_active_seg.studies.classification.settings import (
    ClassificationArm,
    ClassificationStudy,
)
from napari_active_seg.studies.classification.splits import ImagePool, Places

__all__ = ["ImageTrainer"]

#: Arms of a seed share their weight decay, so all choose it with the same number of samples.
_PASSES_OF_VALIDATION = 20
#: How far apart the seeds of rounds and of ensemble members are.
_ROUNDS, _MEMBERS = 1000, 1_000_000
#: The measure for which an auxiliary module learns together with the network.
_LEARNED_LOSS = "learned-loss"


@dataclass(frozen=True, slots=True, eq=False)
class ImageTrainer:
    """Trains on labelled images of a pool with the settings of an arm."""

    study: ClassificationStudy
    pool: ImagePool
    arm: ClassificationArm
    seed: int
    networks: ImageNetworks

    def train(
        self,
        labelled: NDArray[np.int64],
        waiting: NDArray[np.int64],
        decay: float,
        number: int,
        member: int = 0,
    ) -> tuple[Classifier, tuple[float, ...]]:
        """Return a newly trained network and its losses.

        Arms of a seed share it in round ``number`` where they learn the same in the same way.
        """
        seed = self.seed * _ROUNDS + number + member * _MEMBERS
        model = self.networks.build(
            self.arm.network or self.study.network,
            shape=self.pool.shape,
            n_classes=len(self.pool.classes),
            seed=seed,
            weights=self.arm.weights or self.study.weights,
        )
        images, labels = self._shown(labelled)
        losses = model.train(
            images,
            labels,
            plan=self._plan(len(images), decay, seed),
            check_cancelled=never_cancelled,
            without_labels=self._without_labels(labelled, waiting),
        )
        return model, losses

    def best_decay(self, places: Places) -> float:
        """Return the weight decay with the lowest validation loss on the first labels."""
        decays = self.study.decays
        if len(decays) == 1 or not len(places.validation):
            return decays[0]
        truth = self.pool.labels[places.validation][:, None]
        losses = []
        for decay in decays:
            model, _ = self.train(places.start, places.open, decay, 0)
            predicted = model.predict(
                self.pool.images[places.validation],
                passes=_PASSES_OF_VALIDATION,
                seed=self.seed,
                check_cancelled=never_cancelled,
            )
            losses.append(ProbabilityScores().add(predicted.mean_p, truth).nll)
        return decays[int(np.argmin(losses))]

    def _plan(self, n_images: int, decay: float, seed: int) -> ImageTraining:
        study, arm = self.study, self.arm
        steps = study.epochs * -(-n_images // study.images_a_step) or study.steps
        return ImageTraining(
            steps=study.unlabelled_steps if arm.unlabelled else steps,
            batch=study.images_a_step,
            learning_rate=study.learning_rate,
            decay=decay,
            seed=seed,
            optimiser=study.optimiser,
            schedule=study.schedule,
            weight_decay=study.weight_decay,
            strong=arm.strong,
            predicts_loss=arm.measure == _LEARNED_LOSS,
            unlabelled=study.unlabelled_a_step if arm.unlabelled else 0,
            precision=study.precision,
        )

    def _without_labels(
        self, labelled: NDArray[np.int64], waiting: NDArray[np.int64]
    ) -> NDArray[np.uint8] | None:
        """Return all images of the pool as pictures alone, where the arm learns from them."""
        if not self.arm.unlabelled:
            return None
        return self.pool.images[np.union1d(labelled, waiting)]

    def _shown(self, labelled: NDArray[np.int64]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Return what is learned from: the labelled images, positive ones flipped both ways too."""
        images, labels = self.pool.images[labelled], self.pool.labels[labelled]
        if not self.study.flips or self.study.positive is None:
            return images, labels
        positive = labels == self.study.positive
        more = [images[positive][:, ::-1], images[positive][:, :, ::-1]]
        more.append(more[0][:, :, ::-1])
        return (
            np.concatenate([images, *more]),
            np.concatenate([labels, *(labels[positive] for _ in more)]),
        )
