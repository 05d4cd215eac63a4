"""What is asked about trust: calibrate, audit, compare, review, look for leaks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import partial

from napari_active_seg.calibration import METHODS, CalibrationTrial
from napari_active_seg.errors import BadInputError, ConfigError, NothingToDoError, did_you_mean
from napari_active_seg.jobs.queue import JobRequest, Work
from napari_active_seg.metrics import Contradiction, EvalReport
from napari_active_seg.models.segmenter import SegmenterFactory
from napari_active_seg.project import ModelRecord, Project
from napari_active_seg.session.check_images import CheckImages
from napari_active_seg.session.prediction.model_cache import ModelCache
from napari_active_seg.session.prediction.requests import evaluate_request, labelled_images
from napari_active_seg.session.state import SessionState
from napari_active_seg.session.trust.calibrate import calibrate_model
from napari_active_seg.session.trust.collapse import Collapse, find_collapse
from napari_active_seg.session.trust.compare_models import compare_models
from napari_active_seg.session.trust.cross_validate import CrossValidation, cross_validate
from napari_active_seg.session.trust.evaluate import EvaluateRequest, evaluate_model
from napari_active_seg.session.trust.evidence import (
    gather_trust_facts,
    should_offer_cross_validation,
    validation_is_unscored,
)
from napari_active_seg.session.trust.inter_annotator import AnnotatorAgreement, annotator_agreements
from napari_active_seg.session.trust.leakage import LeakReport, find_leaks
from napari_active_seg.session.trust.learning_curve import LearningCurve, learning_curve
from napari_active_seg.session.trust.requests import (
    audit_request,
    calibrate_request,
    compare_request,
    cross_validate_request,
    leak_request,
    review_request,
    why_not_cross_validate,
)
from napari_active_seg.session.trust.review import Finding, Review, review_labels
from napari_active_seg.session.trust.scoreboard import ScoreRow, scoreboard
from napari_active_seg.session.trust.store import (
    CalibrationRecord,
    calibration_of,
    describe_calibration,
    keep_agreement,
    keep_cross_validation,
    keep_evaluation,
    keep_trial,
    kept_cross_validation,
    kept_evaluation,
)
from napari_active_seg.session.trust.summary import TrustLine, summarise_trust

__all__ = ["TrustService"]

REVIEWED = "labels reviewed"
LEAKS = "looked for near copies"


class TrustService:
    """Orders what takes time, and reads what is known from the diary."""

    def __init__(
        self,
        project: Project,
        shelf: ModelCache,
        segmenters: SegmenterFactory,
        state: Callable[[], SessionState],
        apply: Callable[..., None],
        *,
        order: Callable[..., None],
        model: Callable[[], ModelRecord],
        predicted: Callable[[], frozenset[str]],
        look: Callable[[], None],
    ) -> None:
        self._project, self._shelf, self._segmenters = project, shelf, segmenters
        self._state, self._apply, self._order = state, apply, order
        self._model, self._predicted, self._look = model, predicted, look

    # --- what is known ---------------------------------------------------------------------------

    def summary(self) -> tuple[TrustLine, ...]:
        """Return a plain first answer from the best evidence there is, in at most four lines."""
        return summarise_trust(gather_trust_facts(self._project, self._state().measure))

    def cross_validation(self) -> CrossValidation | None:
        """Return the latest cross-validation; None before there was one in these classes."""
        return kept_cross_validation(self._project)

    def why_not_cross_validate(self) -> str:
        """Return why the finished regions do not allow a cross-validation; empty if they do."""
        return why_not_cross_validate(self._project)

    @property
    def should_offer_cross_validation(self) -> bool:
        """Whether nothing measures the model yet, and finished regions would allow it."""
        return should_offer_cross_validation(self._project)

    @property
    def validation_is_unscored(self) -> bool:
        """Whether there are validation labels that the model in use was not scored on."""
        return validation_is_unscored(self._project)

    def scoreboard(self) -> tuple[ScoreRow, ...]:
        """Return what is known of the model in use and the one before, and from which labels."""
        return scoreboard(self._project)

    def calibration(self) -> CalibrationRecord | None:
        """Return what was fitted for the model in use; None before that was asked for."""
        model = self._state().model
        return None if model is None else calibration_of(self._project, model)

    def describe_calibration(self) -> str:
        """Return whether probabilities are calibrated now, in a line."""
        return describe_calibration(self._project, self._state().model)

    def evaluation(self, model_id: str) -> EvalReport | None:
        """Return how a model did on the fixed validation."""
        return kept_evaluation(self._project, model_id)

    def collapse(self) -> Collapse | None:
        """Return whether the model in use predicts one class nearly everywhere."""
        model = self._state().model
        return None if model is None else find_collapse(self._project, model)

    def learning_curve(self) -> LearningCurve:
        """Return how models grew with labels, and whether to go on."""
        return learning_curve(self._project)

    def agreements(self) -> tuple[AnnotatorAgreement, ...]:
        """Return how far people agree who labelled the same regions."""
        return annotator_agreements(self._project)

    def latest_review(self) -> Review | None:
        """Return what the latest review doubts and nobody changed since; None before a review."""
        events = self._project.events.named(REVIEWED)
        if not events:
            return None
        changed = {s.region_id for s in self._project.labels.saves() if s.saved_at > events[-1].at}
        found = events[-1].facts.get("findings")
        kept = [_finding(facts) for facts in found] if isinstance(found, list) else []
        left = tuple(f for f in kept if f is not None and f.region_id not in changed)
        return Review(left, float(str(events[-1].facts.get("agreement", "nan"))))

    def leaks(self) -> str:
        """Return what was last found of images on both sides, in words; empty before a look."""
        events = self._project.events.named(LEAKS)
        return str(events[-1].facts.get("words", "")) if events else ""

    # --- calibration -----------------------------------------------------------------------------

    def calibrate(
        self,
        *,
        use: str | None = None,
        on_trial: Callable[[CalibrationTrial], None] | None = None,
    ) -> None:
        """Fit every calibration on the fixed validation, and judge each on images left out.

        ``use`` puts one in use at once; "best" the one with the lowest NLL, if any gains.
        """
        if use is not None and use not in (*METHODS, "best"):
            raise ConfigError(f"no calibration {use!r}: {did_you_mean(use, (*METHODS, 'best'))}")
        self._model()

        def prepare() -> Work:
            request = calibrate_request(self._project, self._model(), self._shelf.load_ensemble)
            ids = tuple(image.id for image in request.images)
            return CheckImages(
                self._project.images.find_changed, ids, partial(calibrate_model, request)
            )

        def deliver(result: object) -> None:
            if isinstance(result, CalibrationTrial):
                keep_trial(self._project, self._model(), result)
                chosen = result.best if use == "best" else use
                if chosen is not None:
                    self._project.configure(calibration=chosen)
                self._tell()
                if on_trial is not None:
                    on_trial(result)

        self._order(JobRequest("calibrating", prepare, deliver, queueable=True, picklable=True))

    def use_calibration(self, method: str) -> None:
        """Let maps and proposals use a calibration that was fitted for the model in use."""
        record = self.calibration()
        if record is None:
            raise NothingToDoError("calibrate first: nothing is fitted for the model in use")
        if method not in record.calibrations:
            raise ConfigError(f"no calibration {method!r}: {did_you_mean(method, METHODS)}")
        self._project.check_writable()
        self._project.configure(calibration=method)
        self._tell()

    def take_calibration_back(self) -> None:
        """Let maps and proposals use probabilities as the network gives them."""
        self._project.check_writable()
        self._project.configure(calibration="none")
        self._tell()

    def after_training(self) -> None:
        """Fit anew for a model that is in use now, where the one before was calibrated."""
        model = self._state().model
        wanted = self._project.config.inference.calibration != "none"
        missing = wanted and model is not None and self.calibration() is None
        if missing and len(labelled_images(self._project)) > 1:
            self.calibrate()

    # --- scores ----------------------------------------------------------------------------------

    def cross_validate(self, *, on_done: Callable[[CrossValidation], None] | None = None) -> None:
        """Estimate how good the model in use is from the finished regions of the pool.

        Models of the same network are trained from their initial weights, each without a fold of
        the images (or patients), and score the regions of that fold.
        """
        self._model()

        def prepare() -> Work:
            request = cross_validate_request(self._project, self._model(), self._segmenters)
            ids = tuple(finished.label.region.image_id for finished in request.regions)
            ids += tuple(label.region.image_id for label in request.held_out)
            return CheckImages(
                self._project.images.find_changed, ids, partial(cross_validate, request)
            )

        def deliver(result: object) -> None:
            if isinstance(result, CrossValidation):
                keep_cross_validation(self._project, result)
                self._tell()
                if on_done is not None:
                    on_done(result)

        self._order(
            JobRequest("cross-validating", prepare, deliver, queueable=True, picklable=True)
        )

    def score_validation(self, *, on_report: Callable[[EvalReport], None] | None = None) -> None:
        """Score the model in use on the labelled validation images, without any training."""
        model = self._model()
        load = partial(self._shelf.segmenter, model)
        self._score(
            "scoring validation images",
            model,
            lambda: evaluate_request(self._project, model, load, images=None),
            on_report,
            audit=False,
        )

    # --- other questions -------------------------------------------------------------------------

    def audit(self, *, on_report: Callable[[EvalReport], None] | None = None) -> None:
        """Measure the model in use on the images that were kept for the last word."""
        model = self._model()
        self._score(
            "auditing",
            model,
            lambda: audit_request(self._project, model, self._shelf.segmenter),
            on_report,
            audit=True,
        )

    def _score(
        self,
        name: str,
        model: ModelRecord,
        make_request: Callable[[], EvaluateRequest],
        on_report: Callable[[EvalReport], None] | None,
        *,
        audit: bool,
    ) -> None:
        """Measure a model on images whose files are unchanged, and keep the report."""

        def prepare() -> Work:
            request = make_request()
            return CheckImages(
                self._project.images.find_changed,
                request.image_ids,
                partial(evaluate_model, request),
            )

        def deliver(result: object) -> None:
            if isinstance(result, EvalReport):
                keep_evaluation(self._project, model.id, result, audit=audit)
                self._tell()
                if on_report is not None:
                    on_report(result)

        self._order(JobRequest(name, prepare, deliver, queueable=True, picklable=True))

    def compare_models(self) -> None:
        """Find out how far each model agrees with the one before it, on images of the pool."""

        def prepare() -> Work:
            return partial(compare_models, compare_request(self._project, self._shelf.fresh))

        def deliver(result: object) -> None:
            if isinstance(result, tuple):
                for found in result:
                    keep_agreement(
                        self._project, found.model_id, found.earlier, found.kappa, found.changed
                    )
                self._tell()

        self._order(
            JobRequest("comparing models", prepare, deliver, queueable=True, picklable=True)
        )

    def review(self, *, on_review: Callable[[Review], None] | None = None) -> None:
        """Look for labels that models contradict which have not seen them."""

        def prepare() -> Work:
            return partial(review_labels, review_request(self._project, self._segmenters))

        def deliver(result: object) -> None:
            if isinstance(result, Review):
                self._project.events.add(REVIEWED, facts=asdict(result))
                self._tell()
                if on_review is not None:
                    on_review(result)

        self._order(
            JobRequest("reviewing labels", prepare, deliver, queueable=True, picklable=True)
        )

    def find_leaks(self, *, on_report: Callable[[LeakReport], None] | None = None) -> None:
        """Look for images, their flips and near copies that are learned from and measured on."""

        def prepare() -> Work:
            return partial(find_leaks, leak_request(self._project))

        def deliver(result: object) -> None:
            if isinstance(result, LeakReport):
                pairs = [[pair.first, pair.second, pair.bits] for pair in result.pairs]
                facts = {"words": result.summary, "pairs": pairs}
                self._project.events.add(LEAKS, facts=facts)
                self._tell()
                if on_report is not None:
                    on_report(result)

        order = JobRequest(
            "looking for near copies", prepare, deliver, queueable=True, picklable=True
        )
        self._order(order, reads_labels=False)

    def _tell(self) -> None:
        self._apply(trust=self._state().trust + 1, predicted=self._predicted())
        self._look()


def _finding(facts: object) -> Finding | None:
    if not isinstance(facts, Mapping):
        return None
    try:
        place = Contradiction(**facts["place"])
        return Finding(str(facts["region_id"]), str(facts["image_id"]), place)
    except (KeyError, TypeError, BadInputError):
        return None
