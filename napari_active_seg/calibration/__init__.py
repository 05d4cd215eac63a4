"""Calibration of probabilities, and unbiased estimates from few labels; all of it streamed."""

from napari_active_seg.calibration.classwise import BrierParts, OneVsRestBins
from napari_active_seg.calibration.cross_validation import (
    CalibrationTrial,
    MethodTrial,
    cross_validate_calibration,
)
from napari_active_seg.calibration.reliability import (
    FINE_BINS,
    ReliabilityBins,
    equal_mass_bins,
)
from napari_active_seg.calibration.scaling import (
    METHODS,
    Calibration,
    PassSample,
    apply_calibration,
    fit_calibration,
)
from napari_active_seg.calibration.scores import ProbabilityScores
from napari_active_seg.calibration.selected_vs_rest import SelectedAndRest
from napari_active_seg.calibration.sparsification import ErrorsByUncertainty
from napari_active_seg.calibration.unbiased_estimators import (
    DrawnUnits,
    effective_size,
    is_balanced,
    lure_weights,
    student_limits,
    weighted_mean,
    why_not_estimable,
)

__all__ = [
    "FINE_BINS",
    "METHODS",
    "BrierParts",
    "Calibration",
    "CalibrationTrial",
    "DrawnUnits",
    "ErrorsByUncertainty",
    "MethodTrial",
    "OneVsRestBins",
    "PassSample",
    "ProbabilityScores",
    "ReliabilityBins",
    "SelectedAndRest",
    "apply_calibration",
    "cross_validate_calibration",
    "effective_size",
    "equal_mass_bins",
    "fit_calibration",
    "is_balanced",
    "lure_weights",
    "student_limits",
    "weighted_mean",
    "why_not_estimable",
]
