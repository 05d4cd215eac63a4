"""Whether a probability means what it says: scores and diagrams, streamed over pixels."""

from napari_active_seg.calibration.one_vs_rest import BrierParts, OneVsRestBins
from napari_active_seg.calibration.reliability import ReliabilityBins
from napari_active_seg.calibration.scores import ProbabilityScores

__all__ = ["BrierParts", "OneVsRestBins", "ProbabilityScores", "ReliabilityBins"]
