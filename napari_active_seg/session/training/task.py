"""Train a model on finished regions, write it down, and measure it on the fixed validation."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from napari_active_seg.errors import ImageError, ModelError, NothingToDoError
from napari_active_seg.metrics import Comparison, ConfusionMatrix, EvalReport, compare
from napari_active_seg.metrics.instances import InstanceRules, ObjectMaps, fit_rules
from napari_active_seg.models.inference_options import InferenceOptions
from napari_active_seg.models.preset_names import AUTO
from napari_active_seg.models.segmenter import (
    ResumeTarget,
    Segmenter,
    TrainableSegmenter,
    TrainingData,
    TrainOutcome,
    TrainStep,
    describe_duration,
)
from napari_active_seg.models.training_options import TrainingOptions
from napari_active_seg.project import ModelRecord, hash_weights
from napari_active_seg.session.labels.whole_images import LabelledImage
from napari_active_seg.session.prediction.collapse import Collapse, check_confusion
from napari_active_seg.session.prediction.evaluate import evaluate_segmenter
from napari_active_seg.session.task_context import TaskContext
from napari_active_seg.session.training.control_regions import (
    ControlScore,
    measure_controls,
)
from napari_active_seg.session.training.data import (
    LazyExamples,
    readable_examples,
    window_drawer,
)
from napari_active_seg.session.training.inputs import (
    TrainingChoices,
    TrainingInputs,
    read_training_inputs,
)

__all__ = [
    "TrainingResult",
    "train_model",
]

_log = logging.getLogger(__name__)
#: Number of examples that are predicted again to see whether a model separates the classes.
_MOST_CHECKED = 4
#: Options that do not change the steps of a training once it has begun.
_NOT_OF_ITS_COURSE = frozenset({"init", "restarts", "training_seconds", "weights_file"})


@dataclass(frozen=True, slots=True, eq=False)
class TrainingResult:
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

        For the first model it is empty, or the reason why no model can be evaluated.
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


def train_model(task: TaskContext, choices: TrainingChoices) -> TrainingResult | None:
    """Train, save, measure and compare; a stop or an error leaves no checkpoint behind.

    Several restarts differ in their seed; the best on the validation is kept. None comes back where
    another process saves and measures.
    """
    inputs = read_training_inputs(task, choices)
    task.check_images(inputs.image_ids)
    if not inputs.labels:
        raise NothingToDoError(
            "no region is done yet, so there is nothing to train on; "
            "label proposed regions first (desktop: Annotate; command line: 'label')"
        )
    inputs = _without_lost_model(task, inputs)
    controls = _measured_controls(task, inputs)
    validation_labels = [label for image in inputs.validation for label in image.labels]
    data = TrainingData(
        readable_examples(inputs.labels, task.open_image, holdout=inputs.holdout),
        held_out=LazyExamples(validation_labels, task.open_image),
        draw_window=window_drawer(inputs.unlabelled, task.open_image),
    )
    chosen, words = _chosen_preset(task, inputs, data)
    inputs = replace(inputs, preset=chosen, notes=(*inputs.notes, *words))
    best: _Trained | None = None
    for number in range(inputs.restarts):
        trained = _trained(task, inputs, data, number)
        if best is None or trained.rank > best.rank:
            best = trained
    if best is None or inputs.joins:
        return None
    comparison = _compared(task, inputs, best.report)
    collapse = _find_collapse(task, inputs, best, data)
    if collapse is not None:
        inputs = replace(inputs, notes=(collapse.describe(), *inputs.notes))
    _save(inputs, best)
    _forget_unfinished(inputs)
    response = _response(inputs, best, comparison)
    model = replace(response.model, weights_hash=hash_weights(inputs.path))
    return replace(response, model=model, controls=controls, collapse=collapse)


def _without_lost_model(task: TaskContext, inputs: TrainingInputs) -> TrainingInputs:
    """Return the inputs without the model in use where its weights cannot be loaded.

    The training then starts without it, is not compared with it, and takes its place: a lost file
    would keep a project from getting a model ever again.
    """
    current = inputs.current
    if current is None or inputs.joins:
        return inputs
    task.check_cancelled()
    task.report(0, 1, f"loading {current.model_id}")
    try:
        current.load()
    except ModelError as error:
        note = (
            f"{current.model_id} cannot be loaded ({error}): this training starts without it, is "
            "not compared with it, and its model is in use"
        )
        _log.warning("%s", note)
        initial = replace(inputs.initial, model_id=None, preset=None, load=None)
        return replace(inputs, current=None, initial=initial, notes=(note, *inputs.notes))
    return inputs


def _measured_controls(task: TaskContext, inputs: TrainingInputs) -> tuple[ControlScore, ...]:
    """Return how the model in use does on control squares that are about to be learned from."""
    current = inputs.current
    return measure_controls(
        () if inputs.joins else inputs.controls,
        model_id=None if current is None else current.model_id,
        load=None if current is None else current.load,
        open_source=task.open_image,
        plan=inputs.inference if current is None else current.plan,
        classes=inputs.classes,
        token=task.token,
        report=task.report,
    )


def _chosen_preset(
    task: TaskContext, inputs: TrainingInputs, data: TrainingData
) -> tuple[str, tuple[str, ...]]:
    """Return the preset, for ``auto`` the best whose training fits into the time, and words."""
    if inputs.preset != AUTO:
        return inputs.preset, ()
    candidates = task.networks.candidates()
    words = ""
    for name in candidates:
        task.report(0, 1, f"how long would {name} take?")
        try:
            segmenter = task.networks.build(
                name,
                classes=inputs.classes,
                seed=inputs.options.seed,
                weights=inputs.initial.weights,
            )
        except ModelError as error:  # its weights are not here, and others need none
            _log.warning("auto leaves %s out: %s", name, error)
            continue
        took = segmenter.estimate_training_seconds(data, plan=_plan_for(inputs, name))
        words = f"auto chose {name}: about {describe_duration(took)} to train"
        if took <= inputs.seconds or name == candidates[-1]:
            task.report(0, 1, words)
            _log.info("%s", words)
            return name, (words,)
    return candidates[-1], (words,)


def _plan_for(inputs: TrainingInputs, preset: str) -> TrainingOptions:
    """Return the options, shorter where training continues a model of the same network."""
    warm = inputs.initial.model_for(preset) is not None
    return inputs.options.with_changes(shorter=2) if warm else inputs.options


def _trained(
    task: TaskContext, inputs: TrainingInputs, data: TrainingData, number: int
) -> _Trained:
    plan = _plan_for(inputs, inputs.preset).with_changes(seed=inputs.options.seed + number)
    segmenter, origin = _starting(task, inputs, plan.seed)
    segmenter.check_sampling(inputs.inference)  # else it is trained in vain
    which = f"restart {number + 1} of {inputs.restarts}: " if inputs.restarts > 1 else ""
    task.report(0, 1, f"{which}starting from {origin}")
    _log.info("%s starts from %s", inputs.preset, origin)

    def tell(step: TrainStep) -> None:
        task.report(
            step.step,
            step.n_steps,
            which + step.summary,
            loss=step.loss,
            held_out=step.held_out,
        )

    kept = None
    if inputs.resume_dir is not None:
        with contextlib.suppress(OSError):
            inputs.resume_dir.parent.mkdir(exist_ok=True)  # later it is not made any more
        path = inputs.resume_dir / f"{inputs.model_id}-{number}.safetensors"
        course = {k: v for k, v in plan.as_facts().items() if k not in _NOT_OF_ITS_COURSE}
        facts = (inputs.data_hash, course, inputs.preset, inputs.classes, origin)
        kept = ResumeTarget(path, hashlib.sha256(repr(facts).encode()).hexdigest())
    outcome = segmenter.train(
        data, plan=plan, on_step=tell, check_cancelled=task.check_cancelled, kept=kept
    )
    if inputs.joins:
        return _Trained(segmenter, origin, outcome, None, None, plan.seed)
    evaluated, rules = _validate(task, inputs, segmenter)
    return _Trained(segmenter, origin, outcome, evaluated, rules, plan.seed)


def _starting(
    task: TaskContext, inputs: TrainingInputs, seed: int
) -> tuple[TrainableSegmenter, str]:
    """Return the segmenter that is to learn, and what it starts from in words."""
    start = inputs.initial
    load = start.model_for(inputs.preset)
    if load is not None:
        return load(), f"model {start.model_id}"
    built = task.networks.build(
        inputs.preset, classes=inputs.classes, seed=seed, weights=start.weights
    )
    return built, built.origin


def _response(
    inputs: TrainingInputs, best: _Trained, comparison: Comparison | None
) -> TrainingResult:
    put_in_use = comparison is None or comparison.prefers_new or inputs.accept_worse
    record = ModelRecord(
        id=inputs.model_id,
        created_at=0.0,  # the session knows the time
        preset=inputs.preset,
        seed=best.seed,
        round=inputs.round,
        classes=inputs.classes,
        data_hash=inputs.data_hash,
        metrics={
            **({} if best.report is None else best.report.figures()),
            **({} if best.rules is None else best.rules.as_figures()),
        },
        in_use=put_in_use,
        class_uids=inputs.class_uids,
        image_scores={} if best.report is None else best.report.scores_by_image,
        validation_hash=_validation_hash(inputs.validation),
    )
    return TrainingResult(
        record,
        best.origin,
        len(inputs.labels),
        best.outcome,
        best.report,
        comparison,
        None if inputs.current is None else inputs.current.model_id,
        (*inputs.notes, *best.outcome.notes),
        unmeasured=inputs.unmeasured,
    )


def _save(inputs: TrainingInputs, best: _Trained) -> None:
    if not inputs.path.parent.is_dir():  # a project folder that is away is not made again
        raise ModelError(
            f"the model {inputs.path} could not be written: its folder is not there; the one in "
            "use stays. Put the folder back and train again"
        )
    facts = {
        "model_id": inputs.model_id,
        "seed": str(best.seed),
        "round": str(inputs.round),
        "data_hash": inputs.data_hash,
        "config": json.dumps(inputs.options.as_facts() | {"seed": best.seed}, sort_keys=True),
        "started_from": best.origin,
        "weights": inputs.initial.weights,
        "losses": json.dumps(_in_tenths(best.outcome.losses)),
        "notes": json.dumps([*inputs.notes, *best.outcome.notes]),
    }
    best.segmenter.save(inputs.path, facts=facts)


def _in_tenths(losses: tuple[float, ...]) -> list[float]:
    """Return the mean loss of each tenth of the steps."""
    parts = np.array_split(np.asarray(losses, np.float64), 10)
    return [round(float(part.mean()), 5) for part in parts if part.size]


def _forget_unfinished(inputs: TrainingInputs) -> None:
    """Take away what was written to go on from: the model is there."""
    if inputs.resume_dir is not None:
        for path in inputs.resume_dir.glob(f"{inputs.model_id}-*.safetensors"):
            with contextlib.suppress(OSError):
                path.unlink()


# --- how it did ----------------------------------------------------------------------------------


def _validate(
    task: TaskContext, inputs: TrainingInputs, segmenter: Segmenter
) -> tuple[EvalReport | None, InstanceRules | None]:
    """Return how the model does on the fixed validation; None where none of it can be read.

    Where it draws outlines, the rules that make objects of them are fixed on the way.
    """
    if not inputs.validation:
        return None, None
    plan = inputs.inference
    if segmenter.has_contours:
        plan = plan.with_changes(extras=(*plan.extras, "contour"))
    maps: list[ObjectMaps] = []
    evaluated = _measured(task, inputs, segmenter, plan, on_maps=maps.append)
    if evaluated is None or all(known.truth is None for known in maps):
        return evaluated, None
    rules, objects = fit_rules(maps)
    return evaluated.with_objects(objects), rules


def _measured(
    task: TaskContext,
    inputs: TrainingInputs,
    segmenter: Segmenter,
    plan: InferenceOptions,
    *,
    on_maps: Callable[[ObjectMaps], None] | None = None,
) -> EvalReport | None:
    try:
        return evaluate_segmenter(
            task,
            segmenter,
            inputs.validation,
            model_id=inputs.model_id,
            options=plan,
            on_maps=on_maps,
        )
    except ImageError as error:
        _log.warning("the model was not measured: %s", error)
        return None


def _compared(
    task: TaskContext, inputs: TrainingInputs, evaluated: EvalReport | None
) -> Comparison | None:
    """Compare the new model with the one in use, on the same labels.

    Where the validation was labelled further since, the one in use is measured again.
    """
    current = inputs.current
    if current is None or evaluated is None:
        return None
    scores = current.image_scores
    if current.validation_hash != _validation_hash(inputs.validation) or not scores:
        task.report(0, 1, f"measuring {current.model_id} again: the validation has changed")
        again = _measured(task, inputs, current.load(), inputs.inference)
        scores = {} if again is None else again.scores_by_image
    return compare(evaluated.scores_by_image, scores)


def _find_collapse(
    task: TaskContext, inputs: TrainingInputs, best: _Trained, data: TrainingData
) -> Collapse | None:
    """Return whether the model predicts one class nearly everywhere.

    By the validation; where that holds one class or none, by some of what it has learned from.
    """
    confusion, pixels = ConfusionMatrix.empty(len(inputs.classes)), "validation"
    if best.report is not None:
        confusion = best.report.confusion
    if np.count_nonzero(confusion.labelled) < 2:
        confusion, pixels = _confusion_on_examples(task, inputs, best.segmenter, data), "training"
    return check_confusion(confusion, inputs.classes, model_id=inputs.model_id, pixels=pixels)


def _confusion_on_examples(
    task: TaskContext, inputs: TrainingInputs, segmenter: Segmenter, data: TrainingData
) -> ConfusionMatrix:
    """Return how one plain pass does on the examples that hold the most classes."""
    plan = inputs.inference.with_changes(
        uncertainty_from="single", extras=(), fitted_calibration=None
    )
    by_classes = sorted(data.examples, key=lambda example: -len(np.unique(example.target)))
    confusion = ConfusionMatrix.empty(len(inputs.classes))
    for example in by_classes[:_MOST_CHECKED]:
        outputs = segmenter.predict(example.image, plan=plan, check_cancelled=task.check_cancelled)
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
