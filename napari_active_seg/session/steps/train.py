"""Train a model on finished regions, write it down, and measure it on the fixed validation."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from napari_active_seg.errors import ImageError, NothingToDoError
from napari_active_seg.images import ImageSource
from napari_active_seg.jobs import CancelToken
from napari_active_seg.jobs.job import Report
from napari_active_seg.metrics import EvalReport
from napari_active_seg.metrics.instances import InstanceRules, ObjectMaps, fitted_rules
from napari_active_seg.project import ModelRecord
from napari_active_seg.regions import UNLABELLED, RegionLabel
from napari_active_seg.sampling_plan import SamplingPlan
from napari_active_seg.segmenter import Segmenter, SegmenterFactory, TrainExample, TrainStep
from napari_active_seg.session.steps.evaluate import EvaluateRequest, LabelledImage, evaluate_model
from napari_active_seg.training_plan import TrainingPlan

__all__ = ["TrainRequest", "TrainResponse", "train_model", "training_example"]

_log = logging.getLogger(__name__)
#: Pixels around a region that a network sees without learning from them.
_SURROUNDINGS = 64


@dataclass(frozen=True, slots=True)
class TrainRequest:
    """What to learn from, how, and where the checkpoint belongs."""

    labels: tuple[RegionLabel, ...]
    validation: tuple[LabelledImage, ...]
    open_source: Callable[[str], ImageSource]
    factory: SegmenterFactory
    preset: str
    classes: tuple[str, ...]
    class_uids: tuple[int, ...]
    plan: TrainingPlan
    weights: str
    sampling: SamplingPlan
    round: int
    model_id: str
    path: Path

    @property
    def data_hash(self) -> str:
        """A hash of every labelled pixel and its place."""
        digest = hashlib.sha256()
        for label in self.labels:
            digest.update(repr(label.region).encode())
            digest.update(label.target.tobytes())
        return digest.hexdigest()[:16]


@dataclass(frozen=True, slots=True, eq=False)
class TrainResponse:
    """The trained model, on the disk already, and how it did."""

    request: TrainRequest
    segmenter: Segmenter
    losses: tuple[float, ...]
    seconds: float
    report: EvalReport | None
    rules: InstanceRules | None = None

    def record(self, created_at: float) -> ModelRecord:
        """Return what the project is to remember of the model, which is in use from now on."""
        request = self.request
        return ModelRecord(
            id=request.model_id,
            created_at=created_at,
            preset=request.preset,
            seed=request.plan.seed,
            round=request.round,
            classes=request.classes,
            data_hash=request.data_hash,
            metrics={
                **({} if self.report is None else self.report.figures()),
                **({} if self.rules is None else self.rules.as_figures()),
            },
            in_use=True,
            class_uids=request.class_uids,
        )


def train_model(request: TrainRequest, token: CancelToken, report: Report) -> TrainResponse:
    """Train, save and measure; a stop or an error leaves no checkpoint behind."""
    if not request.labels:
        raise NothingToDoError(
            "no region is done yet, so there is nothing to train on; "
            "label proposed regions first (desktop: Annotate; command line: 'label')"
        )
    examples = _examples(request)
    segmenter = request.factory.build(
        request.preset, classes=request.classes, seed=request.plan.seed, weights=request.weights
    )
    report(0, 1, f"starting from {segmenter.origin}")
    _log.info("%s starts from %s", request.preset, segmenter.origin)

    def tell(step: TrainStep) -> None:
        report(step.step, step.n_steps, f"loss {step.loss:.3f}")

    outcome = segmenter.train(
        examples,
        plan=request.plan,
        on_step=tell,
        check_cancelled=token.check,
    )
    evaluated, rules = _validate(request, segmenter, token, report)
    facts = {
        "model_id": request.model_id,
        "seed": str(request.plan.seed),
        "round": str(request.round),
        "data_hash": request.data_hash,
    }
    segmenter.save(request.path, facts=facts)
    return TrainResponse(request, segmenter, outcome.losses, outcome.seconds, evaluated, rules)


def _examples(request: TrainRequest) -> tuple[TrainExample, ...]:
    """Return what can be learned from; labels of images that cannot be read are logged."""
    examples: list[TrainExample] = []
    problems: list[ImageError] = []
    for label in request.labels:
        try:
            examples.append(training_example(label, request.open_source))
        except ImageError as error:
            _log.warning("left out of the training: %s", error)
            problems.append(error)
    if problems and not examples:
        raise problems[0]
    return tuple(examples)


def training_example(label: RegionLabel, open_source: Callable[[str], ImageSource]) -> TrainExample:
    """Return the region's crop with its surroundings, where nothing is labelled."""
    source = open_source(label.region.image_id)
    around = label.region.grown(_SURROUNDINGS, source.shape)
    target = np.full(around.shape, UNLABELLED, np.uint8)
    y, x = label.region.y - around.y, label.region.x - around.x
    inside = (slice(y, y + label.region.height), slice(x, x + label.region.width))
    target[inside] = label.target
    objects = None
    if label.objects is not None:
        objects = np.zeros(around.shape, np.int32)
        objects[inside] = label.objects
    image = source.read(0, around.y, around.x, around.height, around.width)
    return TrainExample(image, target, objects)


def _validate(
    request: TrainRequest, segmenter: Segmenter, token: CancelToken, report: Report
) -> tuple[EvalReport | None, InstanceRules | None]:
    """Return how the model does on the fixed validation; None where none of it can be read.

    Where it draws outlines, the rules that make objects of them are fixed on the way.
    """
    if not request.validation:
        return None, None
    plan = request.sampling
    if segmenter.draws_outlines:
        plan = replace(plan, extras=(*plan.extras, "contour"))
    asked = EvaluateRequest(
        images=request.validation,
        load_segmenter=lambda: segmenter,
        model_id=request.model_id,
        classes=request.classes,
        plan=plan,
    )
    maps: list[ObjectMaps] = []
    try:
        evaluated = evaluate_model(asked, token, report, on_maps=maps.append)
    except ImageError as error:
        _log.warning("the model was not measured: %s", error)
        return None, None
    if all(known.truth is None for known in maps):
        return evaluated, None
    rules, counts = fitted_rules(maps)
    return evaluated.with_objects(counts), rules
