"""What is asked about trust: calibrate, test, compare, review, look for leaks."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import asdict
from functools import partial
from typing import Literal, TypeVar, overload

from napari_active_seg.calibration import METHODS, CalibrationTrial
from napari_active_seg.errors import BadInputError, ConfigError, NothingToDoError, did_you_mean
from napari_active_seg.jobs import JobKind, Work
from napari_active_seg.jobs.queue import JobFuture, JobRequest
from napari_active_seg.metrics import Contradiction, EvalReport
from napari_active_seg.project import Split
from napari_active_seg.session.context import SessionContext
from napari_active_seg.session.labels.whole_images import labelled_images
from napari_active_seg.session.model_access.model_records import (
    CalibrationRecord,
    describe_calibration,
    load_calibrations,
    load_evaluation,
    store_calibrations,
    store_evaluation,
)
from napari_active_seg.session.prediction.collapse import Collapse, find_collapse
from napari_active_seg.session.prediction.evaluate import evaluate_model
from napari_active_seg.session.prediction.service import PredictionService
from napari_active_seg.session.state import Content
from napari_active_seg.session.trust.calibrate import calibrate_model
from napari_active_seg.session.trust.compare_models import Agreement, compare_models
from napari_active_seg.session.trust.cross_validate import CrossValidation, cross_validate
from napari_active_seg.session.trust.evidence import (
    gather_trust_facts,
    should_offer_cross_validation,
    validation_is_unscored,
)
from napari_active_seg.session.trust.finished_regions import why_not_cross_validate
from napari_active_seg.session.trust.inter_annotator import AnnotatorAgreement, annotator_agreements
from napari_active_seg.session.trust.leakage import LeakReport, find_leaks
from napari_active_seg.session.trust.learning_curve import LearningCurve, learning_curve
from napari_active_seg.session.trust.review import Finding, Review, review_labels
from napari_active_seg.session.trust.scoreboard import ScoreRow, scoreboard
from napari_active_seg.session.trust.store import (
    load_cross_validation,
    store_agreement,
    store_cross_validation,
)
from napari_active_seg.session.trust.summary import TrustLine, summarise_trust

__all__ = ["TrustService"]

T = TypeVar("T")
REVIEWED = "labels reviewed"
LEAKS = "looked for near copies"


class TrustService:
    """Runs what takes time, and reads what is known from the event log."""

    def __init__(self, ctx: SessionContext, predictions: PredictionService) -> None:
        self._ctx, self._predictions = ctx, predictions

    # --- what is known ---------------------------------------------------------------------------

    def summary(self) -> tuple[TrustLine, ...]:
        """Return a plain first answer from the best evidence there is, in at most four lines."""
        return summarise_trust(gather_trust_facts(self._ctx.project, self._ctx.state.measure))

    def cross_validation(self) -> CrossValidation | None:
        """Return the latest cross-validation; None before there was one in these classes."""
        return load_cross_validation(self._ctx.project)

    def why_not_cross_validate(self) -> str:
        """Return why the finished regions do not allow a cross-validation; empty if they do."""
        return why_not_cross_validate(self._ctx.project)

    @property
    def should_offer_cross_validation(self) -> bool:
        """Whether nothing measures the model yet, and finished regions would allow it."""
        return should_offer_cross_validation(self._ctx.project)

    @property
    def validation_is_unscored(self) -> bool:
        """Whether there are validation labels that the model in use was not scored on."""
        return validation_is_unscored(self._ctx.project)

    def scoreboard(self) -> tuple[ScoreRow, ...]:
        """Return what is known of the model in use and the one before, and from which labels."""
        return scoreboard(self._ctx.project)

    def calibration(self) -> CalibrationRecord | None:
        """Return what was fitted for the model in use; None before that was asked for."""
        model = self._ctx.state.model
        return None if model is None else load_calibrations(self._ctx.project, model)

    def describe_calibration(self) -> str:
        """Return whether probabilities are calibrated now, in a line."""
        return describe_calibration(self._ctx.project, self._ctx.state.model)

    def evaluation(self, model_id: str) -> EvalReport | None:
        """Return how a model did on the fixed validation."""
        return load_evaluation(self._ctx.project, model_id)

    def collapse(self) -> Collapse | None:
        """Return whether the model in use predicts one class nearly everywhere."""
        model = self._ctx.state.model
        return None if model is None else find_collapse(self._ctx.project, model)

    def learning_curve(self) -> LearningCurve:
        """Return how models grew with labels, and whether to go on."""
        return learning_curve(self._ctx.project)

    def agreements(self) -> tuple[AnnotatorAgreement, ...]:
        """Return how far people agree who labelled the same regions."""
        return annotator_agreements(self._ctx.project)

    def latest_review(self) -> Review | None:
        """Return what the latest review doubts and nobody changed since; None before a review."""
        events = self._ctx.project.events.named(REVIEWED)
        if not events:
            return None
        changed = {
            s.region_id for s in self._ctx.project.labels.saves() if s.saved_at > events[-1].at
        }
        found = events[-1].facts.get("findings")
        kept = [_finding(facts) for facts in found] if isinstance(found, list) else []
        left = tuple(f for f in kept if f is not None and f.region_id not in changed)
        return Review(left, float(str(events[-1].facts.get("agreement", "nan"))))

    def leaks(self) -> str:
        """Return what was last found of images on both sides, in words; empty before a look."""
        events = self._ctx.project.events.named(LEAKS)
        return str(events[-1].facts.get("words", "")) if events else ""

    # --- calibration -----------------------------------------------------------------------------

    @overload
    def calibrate(
        self, use: str | None = ..., *, wait: Literal[True] = ...
    ) -> CalibrationTrial: ...
    @overload
    def calibrate(
        self, use: str | None = ..., *, wait: Literal[False]
    ) -> Future[CalibrationTrial]: ...
    def calibrate(
        self, use: str | None = None, *, wait: bool = True
    ) -> CalibrationTrial | Future[CalibrationTrial]:
        """Fit every calibration on the fixed validation, and judge each on images left out.

        Parameters
        ----------
        use
            A calibration to put in use, or "best" for the one with the lowest negative
            log-likelihood, if any lowers it; by default none.
        wait
            Whether to return the result; otherwise its future is returned at once.

        Returns
        -------
        CalibrationTrial
            Every calibration with its scores.

        Raises
        ------
        NothingToDoError
            If there is no model, or no labelled validation image.
        """
        if use is not None and use not in (*METHODS, "best"):
            raise ConfigError(f"no calibration {use!r}: {did_you_mean(use, (*METHODS, 'best'))}")
        model = self._ctx.model  # raises at once where there is none

        def prepare() -> Work[CalibrationTrial]:
            nonlocal model
            model = self._ctx.model  # a training that runs before may bring another one
            return self._ctx.work(partial(calibrate_model, model=model))

        def deliver(trial: CalibrationTrial) -> CalibrationTrial:
            store_calibrations(self._ctx.project, model, trial)
            chosen = trial.best if use == "best" else use
            if chosen is not None:
                self._ctx.project.configure(calibration=chosen)
            self._show_findings()
            return trial

        request = JobRequest(JobKind.CALIBRATE, prepare, deliver, queueable=True, picklable=True)
        future = self._ctx.submit(request)
        return future.result() if wait else future

    def use_calibration(self, method: str) -> None:
        """Let maps and proposals use a calibration that was fitted for the model in use."""
        record = self.calibration()
        if record is None:
            raise NothingToDoError("calibrate first: nothing is fitted for the model in use")
        if method not in record.calibrations:
            raise ConfigError(f"no calibration {method!r}: {did_you_mean(method, METHODS)}")
        self._ctx.project.check_writable()
        self._ctx.project.configure(calibration=method)
        self._show_findings()

    def take_calibration_back(self) -> None:
        """Let maps and proposals use probabilities as the network gives them."""
        self._ctx.project.check_writable()
        self._ctx.project.configure(calibration="none")
        self._show_findings()

    def after_training(self) -> None:
        """Calibrate the model in use, where the one before was calibrated."""
        model = self._ctx.state.model
        wanted = self._ctx.project.config.inference.calibration != "none"
        missing = wanted and model is not None and self.calibration() is None
        waits = JobKind.CALIBRATE in self._ctx.state.jobs
        if missing and not waits and len(labelled_images(self._ctx.project)) > 1:
            self.calibrate(wait=False)

    # --- scores ----------------------------------------------------------------------------------

    @overload
    def cross_validate(self, *, wait: Literal[True] = ...) -> CrossValidation: ...
    @overload
    def cross_validate(self, *, wait: Literal[False]) -> Future[CrossValidation]: ...
    def cross_validate(self, *, wait: bool = True) -> CrossValidation | Future[CrossValidation]:
        """Estimate how good the model in use is from the finished regions of the pool.

        Models of the same network are trained from their initial weights, each without a fold of
        the images (or patients), and score the regions of that fold.

        Parameters
        ----------
        wait
            Whether to return the result; otherwise its future is returned at once.

        Returns
        -------
        CrossValidation
            The estimate with its confidence intervals.

        Raises
        ------
        NothingToDoError
            If there is no model, or the finished regions lie on one image alone.
        """
        _ = self._ctx.model  # raises at once where there is none

        def prepare() -> Work[CrossValidation]:  # a training that runs before may bring a model
            return self._ctx.work(partial(cross_validate, model=self._ctx.model))

        def deliver(found: CrossValidation) -> CrossValidation:
            store_cross_validation(self._ctx.project, found)
            self._show_findings()
            return found

        request = JobRequest(
            JobKind.CROSS_VALIDATE, prepare, deliver, queueable=True, picklable=True
        )
        future = self._ctx.submit(request)
        return future.result() if wait else future

    @overload
    def score_validation(self, *, wait: Literal[True] = ...) -> EvalReport: ...
    @overload
    def score_validation(self, *, wait: Literal[False]) -> Future[EvalReport]: ...
    def score_validation(self, *, wait: bool = True) -> EvalReport | Future[EvalReport]:
        """Score the model in use on the labelled validation images, without any training."""
        future = self._score(JobKind.SCORE_VALIDATION, Split.VALIDATION)
        return future.result() if wait else future

    @overload
    def score_test(self, *, wait: Literal[True] = ...) -> EvalReport: ...
    @overload
    def score_test(self, *, wait: Literal[False]) -> Future[EvalReport]: ...
    def score_test(self, *, wait: bool = True) -> EvalReport | Future[EvalReport]:
        """Score the model in use on the test images, which no choice may depend on."""
        future = self._score(JobKind.SCORE_TEST, Split.TEST)
        return future.result() if wait else future

    def _score(self, kind: JobKind, split: Split) -> JobFuture[EvalReport]:
        """Score the model in use on images whose files are unchanged, and store the report."""
        model = self._ctx.model

        def deliver(report: EvalReport) -> EvalReport:
            store_evaluation(self._ctx.project, model.id, report, is_test=split is Split.TEST)
            self._show_findings()
            return report

        return self._ctx.run(kind, partial(evaluate_model, model=model, split=split), deliver)

    # --- other questions -------------------------------------------------------------------------

    @overload
    def compare_models(self, *, wait: Literal[True] = ...) -> tuple[Agreement, ...]: ...
    @overload
    def compare_models(self, *, wait: Literal[False]) -> Future[tuple[Agreement, ...]]: ...
    def compare_models(
        self, *, wait: bool = True
    ) -> tuple[Agreement, ...] | Future[tuple[Agreement, ...]]:
        """Measure how far each model agrees with the one before it, on images of the pool."""

        def deliver(found: tuple[Agreement, ...]) -> tuple[Agreement, ...]:
            for one in found:
                store_agreement(
                    self._ctx.project, one.model_id, one.earlier, one.kappa, one.changed
                )
            self._show_findings()
            return found

        future = self._ctx.run(JobKind.COMPARE_MODELS, compare_models, deliver)
        return future.result() if wait else future

    @overload
    def review(self, *, wait: Literal[True] = ...) -> Review: ...
    @overload
    def review(self, *, wait: Literal[False]) -> Future[Review]: ...
    def review(self, *, wait: bool = True) -> Review | Future[Review]:
        """Look for labels that models contradict which were trained without them."""

        def deliver(found: Review) -> Review:
            self._ctx.project.events.add(REVIEWED, facts=asdict(found))
            self._show_findings()
            return found

        future = self._ctx.run(JobKind.REVIEW, review_labels, deliver)
        return future.result() if wait else future

    @overload
    def find_leaks(self, *, wait: Literal[True] = ...) -> LeakReport: ...
    @overload
    def find_leaks(self, *, wait: Literal[False]) -> Future[LeakReport]: ...
    def find_leaks(self, *, wait: bool = True) -> LeakReport | Future[LeakReport]:
        """Look for images, flips and near copies both in the pool and in validation or test."""

        def deliver(report: LeakReport) -> LeakReport:
            pairs = [[pair.first, pair.second, pair.bits] for pair in report.pairs]
            facts = {"words": report.summary, "pairs": pairs}
            self._ctx.project.events.add(LEAKS, facts=facts)
            self._show_findings()
            return report

        future = self._ctx.run(JobKind.FIND_LEAKS, find_leaks, deliver, reads_labels=False)
        return future.result() if wait else future

    def _show_findings(self) -> None:
        self._ctx.update(predicted=self._ctx.predicted())
        self._ctx.content_changed.emit(Content.FINDINGS)
        self._predictions.predict_visible()


def _finding(facts: object) -> Finding | None:
    if not isinstance(facts, Mapping):
        return None
    try:
        place = Contradiction(**facts["place"])
        return Finding(str(facts["region_id"]), str(facts["image_id"]), place)
    except (KeyError, TypeError, BadInputError):
        return None
