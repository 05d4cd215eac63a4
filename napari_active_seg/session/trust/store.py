"""What the diary keeps about trust: measurements, calibrations, agreement of models, reviews.

Each is an event whose subject is the model that it is about, and which is never changed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from napari_active_seg.calibration import Calibration, CalibrationTrial, ReliabilityBins
from napari_active_seg.errors import BadInputError
from napari_active_seg.metrics import EvalReport, report_from_facts, report_to_facts
from napari_active_seg.project import Event, ModelRecord, Project
from napari_active_seg.session.prediction.ensembles import other_members
from napari_active_seg.session.trust.cross_validate import CrossValidation, Fold

__all__ = [
    "AGREED",
    "AUDITED",
    "CALIBRATED",
    "CROSS_VALIDATED",
    "CalibrationRecord",
    "calibration_in_force",
    "calibration_of",
    "changes_since",
    "describe_calibration",
    "evaluated_at",
    "keep_agreement",
    "keep_cross_validation",
    "keep_evaluation",
    "keep_trial",
    "kept_cross_validation",
    "kept_evaluation",
    "kept_figures",
]

VALIDATED = "validated"  #: measured on the fixed validation, after its training
AUDITED = "audited"  #: measured on the images kept for the last word
CALIBRATED = "calibrated"
AGREED = "compared on the pool"
CROSS_VALIDATED = "cross-validated"


# --- measurements --------------------------------------------------------------------------------


def keep_evaluation(project: Project, model_id: str, report: EvalReport, *, audit: bool) -> None:
    """Write down how a model did on the validation, or on the audit images."""
    facts = {"model": model_id, "figures": report.figures(), "report": report_to_facts(report)}
    project.events.add(AUDITED if audit else VALIDATED, model_id, facts=facts)


def kept_evaluation(project: Project, model_id: str, *, audit: bool = False) -> EvalReport | None:
    """Return the latest measurement of a model; None where none was kept."""
    event = _latest(project, model_id, AUDITED if audit else VALIDATED)
    report = None if event is None else event.facts.get("report")
    if not isinstance(report, Mapping):
        return None
    try:
        return report_from_facts(report)
    except BadInputError:
        return None


def evaluated_at(project: Project, model_id: str, *, audit: bool = False) -> float | None:
    """Return when a model was last measured; None if it never was."""
    event = _latest(project, model_id, AUDITED if audit else VALIDATED)
    return None if event is None else event.at


def kept_figures(project: Project, model_id: str, *, audit: bool = False) -> dict[str, float]:
    """Return the figures of the latest measurement of a model by name; none where none was kept."""
    event = _latest(project, model_id, AUDITED if audit else VALIDATED)
    figures = None if event is None else event.facts.get("figures")
    if not isinstance(figures, Mapping):
        return {}
    return {str(k): float(v) for k, v in figures.items() if isinstance(v, int | float)}


def keep_agreement(
    project: Project, model_id: str, earlier: str, kappa: float, changed: float
) -> None:
    """Write down how far two successive models agree on the pool."""
    facts = {"model": model_id, "with": earlier, "kappa": kappa, "changed": changed}
    project.events.add(AGREED, model_id, facts=facts)


# --- cross-validation ----------------------------------------------------------------------------


def keep_cross_validation(project: Project, result: CrossValidation) -> None:
    """Write down an estimate from cross-validation, with all that it was made from."""
    facts = {
        "model": result.model_id,
        "preset": result.preset,
        "seed": result.seed,
        "data_hash": result.data_hash,
        "class_uids": list(result.class_uids),
        "images": result.n_images,
        "regions": result.n_regions,
        "folds": [asdict(fold) for fold in result.folds],
        "estimates": {
            name: [None if math.isnan(v) else v for v in (known.value, known.low, known.high)]
            for name, known in result.estimates.items()
        },
        "report": report_to_facts(result.report),
        "random": report_to_facts(result.random),
        "groups": dict(result.groups),
        "n_random": result.n_random,
        "n_chosen": result.n_chosen,
        "saves": dict(result.saves),
        "notes": list(result.notes),
    }
    project.events.add(CROSS_VALIDATED, result.model_id, facts=facts)


def kept_cross_validation(project: Project) -> CrossValidation | None:
    """Return the latest cross-validation; None where there is none in the current classes."""
    events = project.events.named(CROSS_VALIDATED)
    if not events:
        return None
    facts: Mapping[str, Any] = events[-1].facts
    try:
        found = CrossValidation(
            model_id=str(facts["model"]),
            preset=str(facts["preset"]),
            seed=int(facts["seed"]),
            data_hash=str(facts["data_hash"]),
            class_uids=tuple(facts["class_uids"]),
            folds=tuple(
                Fold(tuple(one["image_ids"]), one["n_regions"], one["n_training_regions"])
                for one in facts["folds"]
            ),
            report=report_from_facts(facts["report"]),
            random=report_from_facts(facts["random"]),
            groups=facts["groups"],
            n_random=int(facts["n_random"]),
            n_chosen=int(facts["n_chosen"]),
            saves=facts["saves"],
            notes=tuple(facts["notes"]),
        )
    except (BadInputError, KeyError, TypeError, ValueError):
        return None
    return found if found.class_uids == project.classes.current.uids else None


def changes_since(saves: Mapping[str, str], current: Mapping[str, str]) -> int:
    """Return how many regions were finished, changed or reopened; both are saves by region."""
    return sum(saves.get(i) != current.get(i) for i in saves.keys() | current.keys())


# --- calibrations --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CalibrationRecord:
    """What calibrations were fitted for a model, and what each does on images left out.

    ``figures`` are NLL, Brier and ECE by method, ``plain`` without any.
    """

    model_id: str
    calibrations: Mapping[str, Calibration]
    figures: Mapping[str, Mapping[str, float]]
    plain: Mapping[str, float]
    best: str | None
    n_images: int
    bins: Mapping[str, ReliabilityBins] = field(default_factory=dict)

    def shown(self, wanted: str) -> str | None:
        """Return the method to be shown: the one that is wanted, or the best."""
        return wanted if wanted in self.calibrations else self.best

    def describe_change(self, method: str) -> str:
        """Return what a method does to the figures, in a line."""
        after = self.figures[method]
        parts = (
            f"{title} {self.plain[key]:.3f} to {after[key]:.3f}"
            for key, title in (("ece", "ECE"), ("nll", "NLL"), ("brier", "Brier"))
        )
        return f"{self.calibrations[method].summary}: {', '.join(parts)}"


def keep_trial(project: Project, model: ModelRecord, trial: CalibrationTrial) -> None:
    """Write down what was fitted for a model, with how it was asked then."""
    project.events.add(
        CALIBRATED,
        model.id,
        facts={
            "model": model.id,
            "asked": _how_asked(project, model),
            "plain": dict(trial.plain),
            "methods": {
                name: {
                    **tried.calibration.as_facts(),
                    "figures": dict(tried.figures),
                    "bins": [
                        tried.bins.counts.tolist(),
                        tried.bins.confidence_sums.tolist(),
                        tried.bins.hits.tolist(),
                    ],
                }
                for name, tried in trial.methods.items()
            },
            "best": trial.best,
            "images": trial.n_images,
            "pixels": trial.n_pixels,
        },
    )


def calibration_of(project: Project, model: ModelRecord) -> CalibrationRecord | None:
    """Return what was last fitted for a model; None where it was asked otherwise since."""
    event = _latest(project, model.id, CALIBRATED)
    if event is None or event.facts.get("asked") != _how_asked(project, model):
        return None
    facts = event.facts
    methods, plain = facts.get("methods"), facts.get("plain")
    if not isinstance(methods, Mapping) or not isinstance(plain, Mapping):
        return None
    try:
        best = facts.get("best")
        return CalibrationRecord(
            model.id,
            {name: Calibration.from_facts(one) for name, one in methods.items()},
            {name: one["figures"] for name, one in methods.items()},
            plain,
            best if isinstance(best, str) else None,
            int(str(facts.get("images", 0))),
            {name: _bins(one["bins"]) for name, one in methods.items()},
        )
    except (BadInputError, KeyError, TypeError, ValueError):
        return None


def _bins(stored: Sequence[Sequence[float]]) -> ReliabilityBins:
    counts, confidences, hits = stored
    return ReliabilityBins(
        np.array(counts, np.int64), np.array(confidences, np.float64), np.array(hits, np.int64)
    )


def calibration_in_force(project: Project, model: ModelRecord | None) -> Calibration | None:
    """Return what changes a model's probabilities now; None where they are as the network says."""
    wanted = project.config.inference.calibration
    if wanted == "none" or model is None:
        return None
    record = calibration_of(project, model)
    return None if record is None else record.calibrations.get(wanted)


def describe_calibration(project: Project, model: ModelRecord | None) -> str:
    """Return whether probabilities are calibrated now, in a line."""
    wanted = project.config.inference.calibration
    if model is None:
        return ""
    found = calibration_in_force(project, model)
    if found is not None:
        return f"probabilities of {model.id} are calibrated: {found.summary}"
    if wanted != "none":
        return f"probabilities of {model.id} are not calibrated yet: {wanted} scaling waits for it"
    return f"probabilities of {model.id} are as the network gives them"


def _how_asked(project: Project, model: ModelRecord) -> dict[str, object]:
    """Return what a calibration was fitted for: the classes, and how passes are made."""
    config = project.config
    return {
        "classes": list(project.classes.current.uids),
        "sampling": config.inference.uncertainty_from,
        "members": [member.id for member in other_members(project, model)],
        "temperature": config.inference.temperature,
    }


def _latest(project: Project, subject: str, what: str) -> Event | None:
    events = project.events.of(subject, what=what)
    return events[-1] if events else None
