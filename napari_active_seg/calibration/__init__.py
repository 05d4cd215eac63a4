"""Whether a probability means what it says: scores and diagrams, streamed over pixels."""

from napari_active_seg.calibration.one_vs_rest import BrierParts, OneVsRestBins
from napari_active_seg.calibration.reliability import ReliabilityBins
from napari_active_seg.calibration.scores import ProbabilityScores
from napari_active_seg.calibration.sparsification import ErrorsByUncertainty

__all__ = [
    "BrierParts",
    "ErrorsByUncertainty",
    "OneVsRestBins",
    "ProbabilityScores",
    "ReliabilityBins",
]
