"""Train a model on finished regions, write it down, and measure it on the fixed validation."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from napari_active_seg.errors import ImageError, ModelError, NothingToDoError
from napari_active_seg.images import ImageSource
from napari_active_seg.jobs import CancelToken
from napari_active_seg.jobs.job import ProgressCallback
from napari_active_seg.metrics import Comparison, ConfusionMatrix, EvalReport, compared
from napari_active_seg.metrics.instances import InstanceRules, ObjectMaps, fitted_rules
from napari_active_seg.models.inference_options import InferenceOptions
from napari_active_seg.models.preset_names import AUTO
from napari_active_seg.models.segmenter import (
    ResumeTarget,
    Segmenter,
    SegmenterFactory,
    TrainableSegmenter,
    TrainingData,
    TrainOutcome,
    TrainStep,
    describe_duration,
)
from napari_active_seg.models.training_options import TrainingOptions
from napari_active_seg.project import ModelRecord, hash_weights
from napari_active_seg.regions import Region, RegionLabel
from napari_active_seg.session.training.control_regions import (
    ControlScore,
    ControlSquare,
    measure_controls,
)
from napari_active_seg.session.training.data import (
    LazyExamples,
    readable_examples,
    window_drawer,
)
from napari_active_seg.session.trust.collapse import Collapse, check_confusion
from napari_active_seg.session.trust.evaluate import EvaluateRequest, LabelledImage, evaluate_model

__all__ = [
    "CurrentModel",
    "InitialWeights",
    "TrainRequest",
    "TrainResponse",
    "hash_labels",
    "train_model",
]

_log = logging.getLogger(__name__)
#: So many examples are predicted again to see whether a model tells classes apart.
_MOST_CHECKED = 4
#: Options that do not change the steps of a training once it has begun.
_NOT_OF_ITS_COURSE = frozenset({"init", "restarts", "training_seconds", "weights_file"})


def hash_labels(labels: Sequence[RegionLabel]) -> str:
    """Return a hash of every labelled pixel and its place."""
    digest = hashlib.sha256()
    for label in labels:
        digest.update(repr(label.region).encode())
        digest.update(label.target.tobytes())
    return digest.hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class InitialWeights:
    """What a training begins with: a model of this project, or weights from before it."""

    weights: str
    model_id: str | None = None
    preset: str | None = None
    load: Callable[[], TrainableSegmenter] | None = None

    def model_for(self, preset: str) -> Callable[[], TrainableSegmenter] | None:
        """Return what loads the model to go on from, where it is of the same network."""
        return self.load if self.preset == preset else None


@dataclass(frozen=True, slots=True)
class CurrentModel:
    """The model in use, that a new one has to keep up with."""

    model_id: str
    image_scores: Mapping[str, float]
    validation_hash: str
    load: Callable[[], Segmenter]
    plan: InferenceOptions  #: how it is asked where it is in use


@dataclass(frozen=True, slots=True)
class TrainRequest:
    """What to learn from, how, and where the checkpoint belongs.

    ``spare`` are ids of regions that may be held out. ``kept_in`` is where an unfinished training
    is written down; None keeps nothing. One that ``helps`` is a further process of a training that
    another one saves. ``unmeasured`` is why no model of the project can be measured.
    """

    labels: tuple[RegionLabel, ...]
    spare: frozenset[Region]
    validation: tuple[LabelledImage, ...]
    unlabelled: tuple[str, ...]
    open_source: Callable[[str], ImageSource]
    factory: SegmenterFactory
    preset: str
    classes: tuple[str, ...]
    class_uids: tuple[int, ...]
    plan: TrainingOptions
    start: InitialWeights
    sampling: InferenceOptions
    round: int
    model_id: str
    path: Path
    restarts: int = 1
    seconds: float = 60.0
    standing: CurrentModel | None = None
    accept_worse: bool = False
    kept_in: Path | None = None
    notes: tuple[str, ...] = ()
    unmeasured: str = ""
    helps: bool = False
    controls: tuple[ControlSquare, ...] = ()

    @property
    def image_ids(self) -> tuple[str, ...]:
        """Images that are read: labelled ones, and all of the pool where they are learned from."""
        labelled = [label.region.image_id for label in self.labels]
        learned = self.unlabelled if self.plan.semi_supervised != "off" else ()
        return (*labelled, *(image.id for image in self.validation), *learned)

    @property
    def data_hash(self) -> str:
        """A hash of every labelled pixel and its place."""
        return hash_labels(self.labels)


@dataclass(frozen=True, slots=True, eq=False)
class TrainResponse:
    """The trained model, on the disk already, and how it did."""

    model: ModelRecord
    origin: str
    n_regions: int
    outcome: TrainOutcome
    report: EvalReport | None
    comparison: Comparison | None = None
    compared_with: str | None = None
    notes: tuple[str, ...] = field(default_factory=tuple)
    controls: tuple[ControlScore, ...] = ()
    collapse: Collapse | None = None  #: where the model predicts one class nearly everywhere
    unmeasured: str = ""  #: why no model of the project can be measured

    @property
    def losses(self) -> tuple[float, ...]:
        """The loss at every step."""
        return self.outcome.losses

    @property
    def seconds(self) -> float:
        """How long the network learned."""
        return self.outcome.seconds

    @property
    def verdict(self) -> str:
        """How the model compares with the one before, and which is in use.

        Of the first model it is empty, or says why no model can be measured.
        """
        return self.verdict_when_using(self.model.id if self.model.in_use else self.compared_with)

    def verdict_when_using(
        self, model_id: str | None, *, choice: str = "{model} can be chosen in the table"
    ) -> str:
        """Return the verdict as it reads while ``model_id`` is in use, whoever chose that.

        ``choice`` is how to use the other model of the two, with ``{model}`` for its id.
        """
        new, old = self.model.id, self.compared_with
        if old is None:
            return f"{self._unmeasured}." if self.unmeasured else ""
        if self.comparison is None:
            return f"{self._why_not_compared}. {model_id} is in use"
        if model_id == old:
            return f"{self.comparison.summary}. {old} stays in use; {choice.format(model=new)}"
        if model_id == new:
            return f"{self.comparison.summary}. {new} is in use; {choice.format(model=old)}"
        return f"{self.comparison.summary}. {model_id} is in use"

    def other_model(self, model_id: str | None) -> str | None:
        """Return which of the two compared models is not in use while ``model_id`` is."""
        if self.compared_with is None or model_id is None:
            return None
        return self.compared_with if model_id == self.model.id else self.model.id

    @property
    def _why_not_compared(self) -> str:
        models = f"{self.model.id} could not be compared with {self.compared_with}"
        if self.unmeasured:
            return f"{self._unmeasured}. {models}"
        if self.report is None:
            return f"No labelled validation image: {models}"
        return f"No validation image that both models were measured on: {models}"

    @property
    def _unmeasured(self) -> str:
        return self.unmeasured[:1].upper() + self.unmeasured[1:]


@dataclass(frozen=True, slots=True, eq=False)
class _Trained:
    """One of several trainings of the same model."""

    segmenter: TrainableSegmenter
    origin: str
    outcome: TrainOutcome
    report: EvalReport | None
    rules: InstanceRules | None
    seed: int

    @property
    def rank(self) -> tuple[float, ...]:
        """What decides between restarts, the higher the better."""
        held_out = self.outcome.best_held_out
        return (
            -1.0 if self.report is None else self.report.figures().get("image_mean_dice", -1.0),
            -np.inf if held_out is None else -held_out,
            -self.outcome.losses[-1] if self.outcome.losses else -np.inf,
        )


def train_model(
    request: TrainRequest, token: CancelToken, report: ProgressCallback
) -> TrainResponse | None:
    """Train, save, measure and compare; a stop or an error leaves no checkpoint behind.

    Several restarts differ in their seed; the best on the validation is kept. None comes back where
    another process saves and measures.
    """
    if not request.labels:
        raise NothingToDoError(
            "no region is done yet, so there is nothing to train on; "
            "label proposed regions first (desktop: Annotate; command line: 'label')"
        )
    request = _without_lost_model(request, token, report)
    controls = _measured_controls(request, token, report)
    validation_labels = [label for image in request.validation for label in image.labels]
    data = TrainingData(
        readable_examples(request.labels, request.open_source, spare=request.spare),
        held_out=LazyExamples(validation_labels, request.open_source),
        draw_window=window_drawer(request.unlabelled, request.open_source),
    )
    chosen, words = _chosen_preset(request, data, report)
    request = replace(request, preset=chosen, notes=(*request.notes, *words))
    best: _Trained | None = None
    for number in range(request.restarts):
        trained = _trained(request, data, number, token, report)
        if best is None or trained.rank > best.rank:
            best = trained
    if best is None or request.helps:
        return None
    comparison = _compared(request, best.report, token, report)
    collapse = _find_collapse(request, best, data, token)
    if collapse is not None:
        request = replace(request, notes=(collapse.describe(), *request.notes))
    _save(request, best)
    _forget_unfinished(request)
    response = _response(request, best, comparison)
    model = replace(response.model, weights_hash=hash_weights(request.path))
    return replace(response, model=model, controls=controls, collapse=collapse)


def _without_lost_model(
    request: TrainRequest, token: CancelToken, report: ProgressCallback
) -> TrainRequest:
    """Return the request without the model in use where its weights cannot be loaded.

    The training then starts without it, is not compared with it, and takes its place: a lost file
    would keep a project from getting a model ever again.
    """
    standing = request.standing
    if standing is None or request.helps:
        return request
    token.check()
    report(0, 1, f"loading {standing.model_id}")
    try:
        standing.load()
    except ModelError as error:
        note = (
            f"{standing.model_id} cannot be loaded ({error}): this training starts without it, is "
            "not compared with it, and its model is in use"
        )
        _log.warning("%s", note)
        start = replace(request.start, model_id=None, preset=None, load=None)
        return replace(request, standing=None, start=start, notes=(note, *request.notes))
    return request


def _measured_controls(
    request: TrainRequest, token: CancelToken, report: ProgressCallback
) -> tuple[ControlScore, ...]:
    """Return how the model in use does on control squares that are about to be learned from."""
    standing = request.standing
    return measure_controls(
        () if request.helps else request.controls,
        model_id=None if standing is None else standing.model_id,
        load=None if standing is None else standing.load,
        open_source=request.open_source,
        plan=request.sampling if standing is None else standing.plan,
        classes=request.classes,
        token=token,
        report=report,
    )


def _chosen_preset(
    request: TrainRequest, data: TrainingData, report: ProgressCallback
) -> tuple[str, tuple[str, ...]]:
    """Return the preset, for ``auto`` the best whose training fits into the time, and words."""
    if request.preset != AUTO:
        return request.preset, ()
    candidates = request.factory.candidates()
    words = ""
    for name in candidates:
        report(0, 1, f"how long would {name} take?")
        try:
            segmenter = request.factory.build(
                name, classes=request.classes, seed=request.plan.seed, weights=request.start.weights
            )
        except ModelError as error:  # its weights are not here, and others need none
            _log.warning("auto leaves %s out: %s", name, error)
            continue
        took = segmenter.estimate_training_seconds(data, plan=_plan_for(request, name))
        words = f"auto chose {name}: about {describe_duration(took)} to train"
        if took <= request.seconds or name == candidates[-1]:
            report(0, 1, words)
            _log.info("%s", words)
            return name, (words,)
    return candidates[-1], (words,)


def _plan_for(request: TrainRequest, preset: str) -> TrainingOptions:
    """Return the plan, shorter where the training goes on from a model of the same network."""
    warm = request.start.model_for(preset) is not None
    return request.plan.with_changes(shorter=2) if warm else request.plan


def _trained(
    request: TrainRequest,
    data: TrainingData,
    number: int,
    token: CancelToken,
    report: ProgressCallback,
) -> _Trained:
    plan = _plan_for(request, request.preset).with_changes(seed=request.plan.seed + number)
    segmenter, origin = _starting(request, plan.seed)
    segmenter.check_sampling(request.sampling)  # else it is trained in vain
    which = f"restart {number + 1} of {request.restarts}: " if request.restarts > 1 else ""
    report(0, 1, f"{which}starting from {origin}")
    _log.info("%s starts from %s", request.preset, origin)

    def tell(step: TrainStep) -> None:
        report(
            step.step,
            step.n_steps,
            which + step.summary,
            loss=step.loss,
            held_out=step.held_out,
        )

    kept = None
    if request.kept_in is not None:
        with contextlib.suppress(OSError):
            request.kept_in.parent.mkdir(exist_ok=True)  # later it is not made any more
        path = request.kept_in / f"{request.model_id}-{number}.safetensors"
        course = {k: v for k, v in plan.as_facts().items() if k not in _NOT_OF_ITS_COURSE}
        facts = (request.data_hash, course, request.preset, request.classes, origin)
        kept = ResumeTarget(path, hashlib.sha256(repr(facts).encode()).hexdigest())
    outcome = segmenter.train(data, plan=plan, on_step=tell, check_cancelled=token.check, kept=kept)
    if request.helps:
        return _Trained(segmenter, origin, outcome, None, None, plan.seed)
    evaluated, rules = _validate(request, segmenter, token, report)
    return _Trained(segmenter, origin, outcome, evaluated, rules, plan.seed)


def _starting(request: TrainRequest, seed: int) -> tuple[TrainableSegmenter, str]:
    """Return the segmenter that is to learn, and what it starts from in words."""
    start = request.start
    load = start.model_for(request.preset)
    if load is not None:
        return load(), f"model {start.model_id}"
    built = request.factory.build(
        request.preset, classes=request.classes, seed=seed, weights=start.weights
    )
    return built, built.origin


def _response(
    request: TrainRequest, best: _Trained, comparison: Comparison | None
) -> TrainResponse:
    put_in_use = comparison is None or comparison.prefers_new or request.accept_worse
    record = ModelRecord(
        id=request.model_id,
        created_at=0.0,  # the session knows the time
        preset=request.preset,
        seed=best.seed,
        round=request.round,
        classes=request.classes,
        data_hash=request.data_hash,
        metrics={
            **({} if best.report is None else best.report.figures()),
            **({} if best.rules is None else best.rules.as_figures()),
        },
        in_use=put_in_use,
        class_uids=request.class_uids,
        image_scores={} if best.report is None else best.report.scores_by_image,
        validation_hash=_validation_hash(request.validation),
    )
    return TrainResponse(
        record,
        best.origin,
        len(request.labels),
        best.outcome,
        best.report,
        comparison,
        None if request.standing is None else request.standing.model_id,
        (*request.notes, *best.outcome.notes),
        unmeasured=request.unmeasured,
    )


def _save(request: TrainRequest, best: _Trained) -> None:
    if not request.path.parent.is_dir():  # a project folder that is away is not made again
        raise ModelError(
            f"the model {request.path} could not be written: its folder is not there; the one in "
            "use stays. Put the folder back and train again"
        )
    facts = {
        "model_id": request.model_id,
        "seed": str(best.seed),
        "round": str(request.round),
        "data_hash": request.data_hash,
        "config": json.dumps(request.plan.as_facts() | {"seed": best.seed}, sort_keys=True),
        "started_from": best.origin,
        "weights": request.start.weights,
        "losses": json.dumps(_in_tenths(best.outcome.losses)),
        "notes": json.dumps([*request.notes, *best.outcome.notes]),
    }
    best.segmenter.save(request.path, facts=facts)


def _in_tenths(losses: tuple[float, ...]) -> list[float]:
    """Return the mean loss of each tenth of the steps."""
    parts = np.array_split(np.asarray(losses, np.float64), 10)
    return [round(float(part.mean()), 5) for part in parts if part.size]


def _forget_unfinished(request: TrainRequest) -> None:
    """Take away what was written to go on from: the model is there."""
    if request.kept_in is not None:
        for path in request.kept_in.glob(f"{request.model_id}-*.safetensors"):
            with contextlib.suppress(OSError):
                path.unlink()


# --- how it did ----------------------------------------------------------------------------------


def _validate(
    request: TrainRequest, segmenter: Segmenter, token: CancelToken, report: ProgressCallback
) -> tuple[EvalReport | None, InstanceRules | None]:
    """Return how the model does on the fixed validation; None where none of it can be read.

    Where it draws outlines, the rules that make objects of them are fixed on the way.
    """
    if not request.validation:
        return None, None
    plan = request.sampling
    if segmenter.has_contours:
        plan = plan.with_changes(extras=(*plan.extras, "contour"))
    maps: list[ObjectMaps] = []
    evaluated = _measured(request, segmenter, plan, token, report, on_maps=maps.append)
    if evaluated is None or all(known.truth is None for known in maps):
        return evaluated, None
    rules, objects = fitted_rules(maps)
    return evaluated.with_objects(objects), rules


def _measured(
    request: TrainRequest,
    segmenter: Segmenter,
    plan: InferenceOptions,
    token: CancelToken,
    report: ProgressCallback,
    *,
    on_maps: Callable[[ObjectMaps], None] | None = None,
) -> EvalReport | None:
    asked = EvaluateRequest(
        images=request.validation,
        load_segmenter=lambda: segmenter,
        model_id=request.model_id,
        classes=request.classes,
        plan=plan,
    )
    try:
        return evaluate_model(asked, token, report, on_maps=on_maps)
    except ImageError as error:
        _log.warning("the model was not measured: %s", error)
        return None


def _compared(
    request: TrainRequest,
    evaluated: EvalReport | None,
    token: CancelToken,
    report: ProgressCallback,
) -> Comparison | None:
    """Return how the new model does beside the one in use, on the same labels.

    Where the validation was labelled further since, the one in use is measured again.
    """
    standing = request.standing
    if standing is None or evaluated is None:
        return None
    scores = standing.image_scores
    if standing.validation_hash != _validation_hash(request.validation) or not scores:
        report(0, 1, f"measuring {standing.model_id} again: the validation has changed")
        again = _measured(request, standing.load(), request.sampling, token, report)
        scores = {} if again is None else again.scores_by_image
    return compared(evaluated.scores_by_image, scores)


def _find_collapse(
    request: TrainRequest, best: _Trained, data: TrainingData, token: CancelToken
) -> Collapse | None:
    """Return whether the model predicts one class nearly everywhere.

    By the validation; where that holds one class or none, by some of what it has learned from.
    """
    confusion, pixels = ConfusionMatrix.empty(len(request.classes)), "validation"
    if best.report is not None:
        confusion = best.report.confusion
    if np.count_nonzero(confusion.labelled) < 2:
        confusion, pixels = _confusion_on_examples(request, best.segmenter, data, token), "training"
    return check_confusion(confusion, request.classes, model_id=request.model_id, pixels=pixels)


def _confusion_on_examples(
    request: TrainRequest, segmenter: Segmenter, data: TrainingData, token: CancelToken
) -> ConfusionMatrix:
    """Return how one plain pass does on the examples that hold the most classes."""
    plan = request.sampling.with_changes(
        uncertainty_from="single", extras=(), fitted_calibration=None
    )
    by_classes = sorted(data.examples, key=lambda example: -len(np.unique(example.target)))
    confusion = ConfusionMatrix.empty(len(request.classes))
    for example in by_classes[:_MOST_CHECKED]:
        outputs = segmenter.predict(example.image, plan=plan, check_cancelled=token.check)
        found = outputs.moments.mean_p.argmax(axis=0).astype(np.uint8)
        confusion = confusion.add(found, example.target)
    return confusion


def _validation_hash(images: tuple[LabelledImage, ...]) -> str:
    digest = hashlib.sha256()
    for image in images:
        for label in image.labels:
            digest.update(repr(label.region).encode())
            digest.update(label.target.tobytes())
    return digest.hexdigest()[:16] if images else ""
