"""One arm of one seed: train, test, ask, label, round after round."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_active_seg._util.jsonl import add_line, read_lines
from napari_active_seg.calibration import ProbabilityScores, ReliabilityBins
from napari_active_seg.metrics import roc_auc
from napari_active_seg.models.image_classifier import ImageNetworks
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

__all__ = ["ImageArm", "chosen_images", "done_rounds", "rounds_file"]


def rounds_file(out: Path, arm: str, seed: int) -> Path:
    """Return where the rounds of an arm are written down."""
    return out / "arms" / arm / f"seed-{seed}" / "rounds.jsonl"


def done_rounds(study: ClassificationStudy, out: Path, arm: str, seed: int) -> list[dict[str, Any]]:
    """Return the rounds of an arm that are done, the first with the start alone."""
    reference = any(one.name == arm and one.measure == ALL for one in study.arms)
    return read_lines(rounds_file(out, arm, seed))[: 1 if reference else study.rounds + 1]


@dataclass(frozen=True, slots=True, eq=False)
class ImageArm:
    """An arm of a study; what is done is read off its file of lines."""

    study: ClassificationStudy
    pool: ImagePool
    out: Path
    arm: ClassificationArm
    seed: int
    networks: ImageNetworks

    @property
    def rounds(self) -> list[dict[str, Any]]:
        """The rounds that are done, the first with the start alone."""
        return done_rounds(self.study, self.out, self.arm.name, self.seed)

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to do."""
        return len(self.rounds) > self._last

    def run(self) -> None:
        """Do the rounds that are missing; each is on the disk before the next begins."""
        places = drawn_places(
            self.pool.labels,
            per_class=self.study.start_by_class or self.study.start_per_class,
            validation=self.study.validation,
            pool=self.study.pool,
            seed=self.seed,
        )
        decay = self._trainer.best_decay(places)
        asked = [i for facts in self.rounds for i in facts["asked"]]
        if self.arm.measure == ALL and not self.rounds:
            everything = np.concatenate([places.start, places.open])
            places = Places(everything, places.validation, places.open[:0])
            facts = self._round(0, places, [], decay)
            add_line(rounds_file(self.out, self.arm.name, self.seed), facts)
        for number in range(len(self.rounds), self._last + 1):
            facts = self._round(number, places, asked, decay)
            add_line(rounds_file(self.out, self.arm.name, self.seed), facts)
            asked += facts["asked"]

    @property
    def _trainer(self) -> ImageTrainer:
        return ImageTrainer(self.study, self.pool, self.arm, self.seed, self.networks)

    @property
    def _last(self) -> int:
        """The number of its last round."""
        return 0 if self.arm.measure == ALL else self.study.rounds

    def _round(self, number: int, places: Places, asked: list[int], decay: float) -> dict[str, Any]:
        """Train on what is labelled, test it, and choose what is asked next."""
        began = time.perf_counter()
        labelled = np.concatenate([places.start, np.array(asked, np.int64)])
        learner, losses = self._learner(places, labelled, decay, number)
        scores = self._scores(learner.said(self.pool.test_images))
        chosen, told = self._choice(learner, places, labelled, number)
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
            **self._costs(labelled, told),
            "asked": chosen.tolist(),
            "asked_classes": self.pool.labels[chosen].tolist(),
            "seconds": round(time.perf_counter() - began, 2),
        }

    def _learner(
        self, places: Places, labelled: NDArray[np.int64], decay: float, number: int
    ) -> tuple[Learner, tuple[float, ...]]:
        """Return what has learned from the labels, and how its loss fell."""
        if self.arm.learner == "graph":
            return self._graph(_flat, places, labelled), ()
        trained = partial(
            self._trainer.trained, labelled, np.setdiff1d(places.open, labelled), decay, number
        )
        model, losses = trained()
        if self.arm.learner == "graph-of-features":
            return self._graph(model.features, places, labelled), losses
        asks = number < self._last
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
        """Return what is asked for next, how much of it ties, and how far off its costs are."""
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
        costs, told = self._expected_costs(shown, labelled, number)
        told |= {"distinct": len(np.unique(np.round(worth, 4))) / len(worth)}
        chosen = shown[chosen_images(worth / costs**self.arm.beta, self.study.batch, rng)]
        return chosen, told

    def _expected_costs(
        self, shown: NDArray[np.int64], labelled: NDArray[np.int64], number: int
    ) -> tuple[NDArray[np.float64], dict[str, float]]:
        """Return what images are thought to cost: 1 where cost does not count."""
        if self.study.costs is None or self.arm.beta == 0:
            return np.ones(len(shown)), {}
        truth = self._true_costs(shown)
        if self.arm.costs == "known":
            return truth, {}
        thought = learned_costs(
            self.networks,
            self.pool.images[labelled],
            self._true_costs(labelled),
            self.pool.images[shown],
            seed=self.seed * 1000 + number,
        )
        off = {"cost_error": float(np.abs(thought - truth).mean())}
        return thought, off | {"cost_bias": float((thought - truth).mean())}

    def _true_costs(self, places: NDArray[np.int64]) -> NDArray[np.float64]:
        if self.study.costs is None:
            return np.zeros(len(places))
        return true_costs(self.pool.images[places], self.pool.labels[places], self.study.costs)

    def _costs(self, labelled: NDArray[np.int64], told: dict[str, float]) -> dict[str, float]:
        """Return what all labels cost, how far off expectations were, and how much ties."""
        if self.study.costs is None:
            return told
        return {"cost": float(self._true_costs(labelled).sum()), **told}

    def _positives(self, labelled: NDArray[np.int64]) -> dict[str, int]:
        """Return how many labelled images are positive."""
        positive = self.study.positive
        if positive is None:
            return {}
        return {"positives": int((self.pool.labels[labelled] == positive).sum())}

    def _scores(self, said: Moments) -> dict[str, float]:
        """Return error, likelihood, Brier score, ECE, and AUC where a class is the positive one."""
        truth = self.pool.test_labels[:, None]
        wrong = said.mean_p.argmax(axis=0) != truth
        scores = ProbabilityScores().add(said.mean_p, truth)
        bins = ReliabilityBins.empty().add(said.mean_p, truth)
        found = {
            "error": float(wrong.mean()),
            "nll": float(scores.nll),
            "brier": float(scores.brier),
            "ece": float(bins.expected_calibration_error),
        }
        positive = self.study.positive
        if positive is not None:
            found["auc"] = roc_auc(said.mean_p[positive, :, 0], truth[:, 0] == positive)
        return found


def chosen_images(
    worth: NDArray[np.floating], count: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Return the places of the ``count`` highest values; among equals a draw decides."""
    drawn = rng.permutation(len(worth))
    order = drawn[np.argsort(-worth[drawn], kind="stable")]
    chosen: NDArray[np.int64] = order[:count].astype(np.int64)
    return chosen


def _flat(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return images as rows (N, F) of values in 0..1."""
    rows: NDArray[np.float64] = images.reshape(len(images), -1) / 255.0
    return rows
