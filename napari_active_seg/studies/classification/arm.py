"""One arm of one seed: train, test, and choose the next images, round by round."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_active_seg._util.jsonl import read_lines
from napari_active_seg.calibration import ProbabilityScores, ReliabilityBins
from napari_active_seg.metrics import roc_auc
from napari_active_seg.models.image_classifier import ImageNetworks
from napari_active_seg.studies.arm import RECORDS, BaseRun, arm_folder
from napari_active_seg.studies.classification.image_cost import learned_costs, true_costs
from napari_active_seg.studies.classification.learners import (
    GraphLearner,
    Learner,
    NetworkLearner,
    RowsOf,
)
from napari_active_seg.studies.classification.settings import (
    ALL,
    ClassificationArm,
    ClassificationStudy,
)
from napari_active_seg.studies.classification.splits import (
    ImagePool,
    Places,
    drawn_places,
    shown_places,
)
from napari_active_seg.studies.classification.trainer import ImageTrainer
from napari_active_seg.uncertainty import Moments

__all__ = ["ImageArmRun", "choose_images", "finished_arm_rounds"]


def finished_arm_rounds(
    study: ClassificationStudy, out: Path, arm: ClassificationArm, seed: int
) -> list[dict[str, Any]]:
    """Return the finished rounds of an arm, the first with the start alone."""
    return read_lines(arm_folder(out, arm, seed) / RECORDS)[: study.last_round_of(arm) + 1]


class ImageArmRun(BaseRun[tuple[Places, float]]):
    """An arm of a study of classification."""

    def __init__(
        self,
        study: ClassificationStudy,
        pool: ImagePool,
        out: Path,
        arm: ClassificationArm,
        seed: int,
        networks: ImageNetworks,
    ) -> None:
        super().__init__(arm_folder(out, arm, seed), arm.name, seed)
        self.study, self.pool, self.out, self.arm, self.networks = study, pool, out, arm, networks
        self._trainer = ImageTrainer(study, pool, arm, seed, networks)

    @property
    def records(self) -> list[dict[str, Any]]:
        """The finished rounds, the first with the start alone."""
        return finished_arm_rounds(self.study, self.out, self.arm, self.seed)

    @property
    def last_round(self) -> int:
        """The number of the last round."""
        return self.study.last_round_of(self.arm)

    @contextmanager
    def open(self) -> Iterator[tuple[Places, float]]:
        """Draw the start, the validation and the pool, and choose the weight decay."""
        places = drawn_places(
            self.pool.labels,
            per_class=self.study.start_by_class or self.study.start_per_class,
            validation=self.study.validation,
            pool=self.study.pool,
            seed=self.seed,
        )
        decay = self._trainer.best_decay(places)
        if self.arm.measure == ALL:
            everything = np.concatenate([places.start, places.open])
            places = Places(everything, places.validation, places.open[:0])
        yield places, decay

    def run_round(self, state: tuple[Places, float], number: int) -> Mapping[str, Any]:
        """Train on what is labelled, test it, and choose the next images."""
        began = time.perf_counter()
        places, decay = state
        asked = [i for facts in self.records for i in facts["asked"]]
        labelled = np.concatenate([places.start, np.array(asked, np.int64)])
        learner, losses = self._learner(places, labelled, decay, number)
        scores = self._scores(learner.predict(self.pool.test_images))
        chosen, facts = self._choice(learner, places, labelled, number)
        return {
            "arm": self.arm.name,
            "seed": self.seed,
            "round": number,
            "images": len(labelled),
            "share": len(labelled) / (len(places.start) + len(places.open)),
            "decay": decay,
            "loss": float(np.mean(losses[-20:])) if losses else 0.0,
            **scores,
            **self._positives(labelled),
            **self._costs(labelled, facts),
            "asked": chosen.tolist(),
            "asked_classes": self.pool.labels[chosen].tolist(),
            "seconds": round(time.perf_counter() - began, 2),
        }

    def _learner(
        self, places: Places, labelled: NDArray[np.int64], decay: float, number: int
    ) -> tuple[Learner, tuple[float, ...]]:
        """Return a learner trained on the labels, and its losses."""
        if self.arm.learner == "graph":
            return self._graph(_flat, places, labelled), ()
        trained = partial(
            self._trainer.train, labelled, np.setdiff1d(places.open, labelled), decay, number
        )
        model, losses = trained()
        if self.arm.learner == "graph-of-features":
            return self._graph(model.features, places, labelled), losses
        asks = number < self.last_round
        network = NetworkLearner(
            model,
            self.pool,
            self.arm.measure,
            self.arm.passes,
            self.seed * 1000 + number,
            labelled,
            self.study.batch,
            tuple(trained(member)[0] for member in range(1, self.arm.members if asks else 1)),
        )
        return network, losses

    def _graph(self, of: RowsOf, places: Places, labelled: NDArray[np.int64]) -> GraphLearner:
        return GraphLearner(
            of(self.pool.images),
            of,
            labelled=labelled,
            open_places=np.setdiff1d(places.open, labelled),
            labels=self.pool.labels[labelled],
        )

    def _choice(
        self, learner: Learner, places: Places, labelled: NDArray[np.int64], number: int
    ) -> tuple[NDArray[np.int64], dict[str, float]]:
        """Return the next images, the share of distinct values, and the errors of the costs."""
        shown = shown_places(
            places,
            labelled,
            stream=self.study.stream,
            candidates=self.study.candidates,
            step=number,
            seed=self.seed,
        )
        if not len(shown):
            return shown, {}
        rng = np.random.default_rng((self.seed, number, 7))
        worth = learner.worth(shown)
        costs, facts = self._expected_costs(shown, labelled, number)
        facts |= {"distinct": len(np.unique(np.round(worth, 4))) / len(worth)}
        chosen = shown[choose_images(worth / costs**self.arm.beta, self.study.batch, rng)]
        return chosen, facts

    def _expected_costs(
        self, shown: NDArray[np.int64], labelled: NDArray[np.int64], number: int
    ) -> tuple[NDArray[np.float64], dict[str, float]]:
        """Return the expected costs of images: 1 if cost does not count."""
        if self.study.costs is None or self.arm.beta == 0:
            return np.ones(len(shown)), {}
        truth = self._true_costs(shown)
        if self.arm.costs == "known":
            return truth, {}
        expected = learned_costs(
            self.networks,
            self.pool.images[labelled],
            self._true_costs(labelled),
            self.pool.images[shown],
            seed=self.seed * 1000 + number,
        )
        off = {"cost_error": float(np.abs(expected - truth).mean())}
        return expected, off | {"cost_bias": float((expected - truth).mean())}

    def _true_costs(self, places: NDArray[np.int64]) -> NDArray[np.float64]:
        if self.study.costs is None:
            return np.zeros(len(places))
        return true_costs(self.pool.images[places], self.pool.labels[places], self.study.costs)

    def _costs(self, labelled: NDArray[np.int64], facts: dict[str, float]) -> dict[str, float]:
        """Return ``facts`` of a choice with the cost of all labels, if cost counts."""
        if self.study.costs is None:
            return facts
        return {"cost": float(self._true_costs(labelled).sum()), **facts}

    def _positives(self, labelled: NDArray[np.int64]) -> dict[str, int]:
        """Return how many labelled images are positive."""
        positive = self.study.positive
        if positive is None:
            return {}
        return {"positives": int((self.pool.labels[labelled] == positive).sum())}

    def _scores(self, predicted: Moments) -> dict[str, float]:
        """Return error, likelihood, Brier score, ECE, and AUC if there is a positive class."""
        truth = self.pool.test_labels[:, None]
        wrong = predicted.mean_p.argmax(axis=0) != truth
        scores = ProbabilityScores().add(predicted.mean_p, truth)
        bins = ReliabilityBins.empty().add(predicted.mean_p, truth)
        found = {
            "error": float(wrong.mean()),
            "nll": float(scores.nll),
            "brier": float(scores.brier),
            "ece": float(bins.expected_calibration_error),
        }
        positive = self.study.positive
        if positive is not None:
            found["auc"] = roc_auc(predicted.mean_p[positive, :, 0], truth[:, 0] == positive)
        return found


def choose_images(
    worth: NDArray[np.floating], count: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Return the places of the ``count`` highest values; ties are broken at random."""
    drawn = rng.permutation(len(worth))
    order = drawn[np.argsort(-worth[drawn], kind="stable")]
    chosen: NDArray[np.int64] = order[:count].astype(np.int64)
    return chosen


def _flat(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return images as rows (N, F) of values in 0..1."""
    rows: NDArray[np.float64] = images.reshape(len(images), -1) / 255.0
    return rows
