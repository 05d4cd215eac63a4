"""Cross-validation: estimate how good a model is from the regions that it was trained on.

The images are divided into folds. For each fold a model of the same network is trained from its
initial weights on the regions of all other images, and predicts the regions of the fold: every
region is scored by a model that has not seen its image.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.errors import ImageError, NothingToDoError
from napari_active_seg.images import ImageSource
from napari_active_seg.jobs import CancelToken
from napari_active_seg.jobs.job import ProgressCallback
from napari_active_seg.metrics import EvalReport, Groups, Interval, estimate_over_images
from napari_active_seg.models.inference_options import InferenceOptions
from napari_active_seg.models.segmenter import Segmenter, SegmenterFactory, TrainingData, TrainStep
from napari_active_seg.models.training_options import TrainingOptions
from napari_active_seg.regions import UNLABELLED, Region, RegionLabel
from napari_active_seg.session.proposals.region_predictor import RegionPredictor, parts_of
from napari_active_seg.session.training.data import (
    LazyExamples,
    readable_examples,
    window_drawer,
)
from napari_active_seg.uncertainty import Prediction

__all__ = [
    "MOST_FOLDS",
    "CrossValidateRequest",
    "CrossValidation",
    "FinishedRegion",
    "Fold",
    "cross_validate",
    "split_into_folds",
]

_log = logging.getLogger(__name__)
#: Each fold costs a training.
MOST_FOLDS = 5
#: Progress is reported in so many steps a fold; most of them are the training.
_STEPS, _TRAINING_STEPS = 100, 85


@dataclass(frozen=True, slots=True)
class FinishedRegion:
    """A finished region with its label.

    ``is_random`` regions were drawn uniformly over the pool, ``is_chosen`` ones by what a model
    predicted.
    """

    id: str
    label: RegionLabel
    is_random: bool = False
    is_chosen: bool = False


@dataclass(frozen=True, slots=True)
class CrossValidateRequest:
    """The finished regions of the pool, and how the model ``model_id`` was trained on them.

    ``groups`` are patients or slides, which stay in one fold. ``held_out`` are labels of validation
    images: they end a training in time, as they do for the model itself, and are not learned from;
    where there are none, ``spare`` regions of the training part may serve. ``unlabelled`` images
    are learned from where ``plan`` says so, those of the held-out fold never. ``saves`` is the
    latest save of each region, which shows later what has changed.
    """

    model_id: str
    regions: tuple[FinishedRegion, ...]
    groups: Groups
    held_out: tuple[RegionLabel, ...]
    spare: frozenset[Region]
    unlabelled: tuple[str, ...]
    open_source: Callable[[str], ImageSource]
    factory: SegmenterFactory
    preset: str
    weights: str
    classes: tuple[str, ...]
    class_uids: tuple[int, ...]
    plan: TrainingOptions
    sampling: InferenceOptions
    seed: int
    data_hash: str
    saves: Mapping[str, str]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Fold:
    """Images that were held out together, and how many regions the model for them learned from."""

    image_ids: tuple[str, ...]
    n_regions: int
    n_training_regions: int


@dataclass(frozen=True, slots=True, eq=False)
class CrossValidation:
    """How well models predict finished regions of images that they were not trained on.

    ``model_id`` is the model that the estimate is about: it was trained in the same way, on all of
    the regions. ``report`` is of all regions, ``random`` of those alone that were drawn uniformly.
    """

    model_id: str
    preset: str
    seed: int
    data_hash: str  #: of all labels; equal to the model's where it learned from just these
    class_uids: tuple[int, ...]
    folds: tuple[Fold, ...]
    report: EvalReport
    random: EvalReport
    groups: Groups
    n_random: int
    n_chosen: int
    saves: Mapping[str, str]
    notes: tuple[str, ...] = ()

    @property
    def n_folds(self) -> int:
        """How many models were trained."""
        return len(self.folds)

    @property
    def n_images(self) -> int:
        """How many images were predicted."""
        return len(self.report.images)

    @property
    def n_regions(self) -> int:
        """How many regions were predicted."""
        return sum(fold.n_regions for fold in self.folds)

    @property
    def estimates(self) -> dict[str, Interval]:
        """Scores with their 95 % intervals: see ``metrics.estimate_over_images``."""
        return estimate_over_images(self.report, groups=self.groups)

    @property
    def random_estimates(self) -> dict[str, Interval]:
        """The same of the regions that were drawn uniformly; empty where there are none."""
        return estimate_over_images(self.random, groups=self.groups)


def cross_validate(
    request: CrossValidateRequest, token: CancelToken, report: ProgressCallback
) -> CrossValidation:
    """Train a model without each fold and score it there; NothingToDoError with one image alone.

    Images that cannot be read are logged, noted and left out.
    """
    folds = split_into_folds(request)
    total = _STEPS * len(folds)
    measured = _Measured(EvalReport.empty(request.classes), EvalReport.empty(request.classes))
    done: list[Fold] = []
    for number, held_out in enumerate(folds):
        which, before = f"fold {number + 1} of {len(folds)}", _STEPS * number
        report(before, total, which)

        def on_step(step: TrainStep, before: int = before, which: str = which) -> None:
            share = step.step / max(step.n_steps, 1)
            report(before + int(_TRAINING_STEPS * share), total, f"{which}: {step.summary}")

        hidden = {region.id for region in held_out}
        seen = [region for region in request.regions if region.id not in hidden]
        segmenter = _train(request, seen, held_out, on_step, token)
        report(before + _TRAINING_STEPS, total, f"{which}: predicting")
        read = measured.add(request, segmenter, held_out, token)
        segmenter.free_memory()
        done.append(Fold(_images_of(read), len(read), len(seen)))
    report(total, total)
    if not measured.report.images:
        raise next(iter(measured.problems.values()))
    notes = request.notes
    if measured.problems:
        unread = ", ".join(measured.problems)
        notes += (f"left out, since the image cannot be read: {unread}",)
    return CrossValidation(
        model_id=request.model_id,
        preset=request.preset,
        seed=request.seed,
        data_hash=request.data_hash,
        class_uids=request.class_uids,
        folds=tuple(done),
        report=measured.report,
        random=replace(measured.random, errors={}),
        groups={i: g for i in measured.report.image_ids if (g := request.groups.get(i))},
        n_random=measured.n_random,
        n_chosen=measured.n_chosen,
        saves=request.saves,
        notes=notes,
    )


def split_into_folds(request: CrossValidateRequest) -> tuple[tuple[FinishedRegion, ...], ...]:
    """Return the regions of each fold, about as many in each; images and groups stay whole.

    Up to five folds, as many as there are images (or patients). The seed decides which go together.
    """
    of_group: dict[str, list[FinishedRegion]] = defaultdict(list)
    for region in request.regions:
        image_id = region.label.region.image_id
        of_group[request.groups.get(image_id) or image_id].append(region)
    if len(of_group) < 2:
        raise NothingToDoError(
            "the finished regions lie on one image (or patient), and a model has to be tested on "
            "images that it was not trained on: finish a region on another image"
        )
    names = sorted(of_group)
    order = np.random.default_rng((request.seed, 0x4356)).permutation(len(names))
    shuffled = [of_group[names[k]] for k in order.tolist()]
    folds: list[list[FinishedRegion]] = [[] for _ in range(min(MOST_FOLDS, len(names)))]
    for regions in sorted(shuffled, key=len, reverse=True):
        min(folds, key=len).extend(regions)
    return tuple(tuple(fold) for fold in folds)


def _train(
    request: CrossValidateRequest,
    seen: Sequence[FinishedRegion],
    held_out: Sequence[FinishedRegion],
    on_step: Callable[[TrainStep], None],
    token: CancelToken,
) -> Segmenter:
    """Return a model that was trained from its initial weights, without the held-out regions."""
    hidden = set(_images_of(held_out))
    segmenter = request.factory.build(
        request.preset, classes=request.classes, seed=request.plan.seed, weights=request.weights
    )
    labels = [region.label for region in seen]
    others = tuple(i for i in request.unlabelled if i not in hidden)
    data = TrainingData(
        readable_examples(labels, request.open_source, spare=request.spare),
        held_out=LazyExamples(request.held_out, request.open_source),
        draw_window=window_drawer(others, request.open_source),
    )
    plan = request.plan if others else request.plan.with_changes(semi_supervised="off")
    segmenter.train(data, plan=plan, on_step=on_step, check_cancelled=token.check)
    return segmenter


class _Measured:
    """Collects scores of regions, all of them and the random ones."""

    def __init__(self, report: EvalReport, random: EvalReport) -> None:
        self.report, self.random = report, random
        self.problems: dict[str, ImageError] = {}
        self.n_random = self.n_chosen = 0

    def add(
        self,
        request: CrossValidateRequest,
        segmenter: Segmenter,
        regions: Sequence[FinishedRegion],
        token: CancelToken,
    ) -> tuple[FinishedRegion, ...]:
        """Add regions, image by image, and return those whose image could be read."""
        said = RegionPredictor(segmenter, request.sampling, token.check)
        read: list[FinishedRegion] = []
        for image_id in _images_of(regions):
            token.check()
            here = [r for r in regions if r.label.region.image_id == image_id]
            report, random = self.report, self.random
            try:
                source = request.open_source(image_id)
                for region in here:
                    for prediction, target in _predict(said, source, region, request.model_id):
                        report = report.add(prediction, target)
                        random = random.add(prediction, target) if region.is_random else random
            except ImageError as error:
                _log.warning("left out of the cross-validation: %s", error)
                self.problems[image_id] = error
                continue
            self.report, self.random = report, random
            self.n_random += sum(region.is_random for region in here)
            self.n_chosen += sum(region.is_chosen for region in here)
            read += here
        return tuple(read)


def _predict(
    said: RegionPredictor, source: ImageSource, region: FinishedRegion, model_id: str
) -> Iterator[tuple[Prediction, NDArray[np.uint8]]]:
    """Yield predictions of a region with their targets, in parts where the image is a slide."""
    place, target = region.label.region, region.label.target
    for part in parts_of(place, source.shape):
        y, x = part.y - place.y, part.x - place.x
        own = target[y : y + part.height, x : x + part.width]
        if (own != UNLABELLED).any():
            yield Prediction(part, said.of(source, part), model_id), own


def _images_of(regions: Sequence[FinishedRegion]) -> tuple[str, ...]:
    """Return the images of regions, in the order in which they first appear."""
    return tuple(dict.fromkeys(region.label.region.image_id for region in regions))
