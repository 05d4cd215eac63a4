"""A researcher's bench: simulated annotators over the same verbs as the desktop's."""

from napari_active_seg.experiments.simulate import CurvePoint, SimulationSettings, simulate

__all__ = ["CurvePoint", "SimulationSettings", "simulate"]
