"""What the event log records of models: evaluations and calibrations.

Each record is an event whose subject is the model; it is never changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from napari_active_seg.calibration import Calibration, CalibrationTrial, ReliabilityBins
from napari_active_seg.errors import BadInputError
from napari_active_seg.metrics import EvalReport, report_from_facts, report_to_facts
from napari_active_seg.project import Event, ModelRecord, Project
from napari_active_seg.session.prediction.ensembles import other_members

__all__ = [
    "AUDITED",
    "CALIBRATED",
    "CalibrationRecord",
    "active_calibration",
    "describe_calibration",
    "evaluated_at",
    "load_calibrations",
    "load_evaluation",
    "load_figures",
    "store_calibrations",
    "store_evaluation",
]

VALIDATED = "validated"  #: scored on the fixed validation
AUDITED = "audited"  #: scored on the test images
CALIBRATED = "calibrated"


# --- measurements --------------------------------------------------------------------------------


def store_evaluation(project: Project, model_id: str, report: EvalReport, *, audit: bool) -> None:
    """Write down how a model did on the validation, or on the audit images."""
    facts = {"model": model_id, "figures": report.figures(), "report": report_to_facts(report)}
    project.events.add(AUDITED if audit else VALIDATED, model_id, facts=facts)


def load_evaluation(project: Project, model_id: str, *, audit: bool = False) -> EvalReport | None:
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


def load_figures(project: Project, model_id: str, *, audit: bool = False) -> dict[str, float]:
    """Return the figures of the latest measurement of a model by name; none where none was kept."""
    event = _latest(project, model_id, AUDITED if audit else VALIDATED)
    figures = None if event is None else event.facts.get("figures")
    if not isinstance(figures, Mapping):
        return {}
    return {str(k): float(v) for k, v in figures.items() if isinstance(v, int | float)}


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


def store_calibrations(project: Project, model: ModelRecord, trial: CalibrationTrial) -> None:
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


def load_calibrations(project: Project, model: ModelRecord) -> CalibrationRecord | None:
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


def active_calibration(project: Project, model: ModelRecord | None) -> Calibration | None:
    """Return what changes a model's probabilities now; None where they are as the network says."""
    wanted = project.config.inference.calibration
    if wanted == "none" or model is None:
        return None
    record = load_calibrations(project, model)
    return None if record is None else record.calibrations.get(wanted)


def describe_calibration(project: Project, model: ModelRecord | None) -> str:
    """Return whether probabilities are calibrated now, in a line."""
    wanted = project.config.inference.calibration
    if model is None:
        return ""
    found = active_calibration(project, model)
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
