"""The colours of a region's states, the same on the canvas and in the strip.

They are Okabe and Ito's, told apart by colour-blind readers.
"""

from napari_active_seg.regions import RegionState

__all__ = ["STATE_COLOURS"]

STATE_COLOURS: dict[RegionState, str] = {
    RegionState.PROPOSED: "#f0e442",
    RegionState.IN_PROGRESS: "#e69f00",
    RegionState.DONE: "#009e73",
    RegionState.SKIPPED: "#999999",
    RegionState.CANT_TELL: "#cc79a7",
    RegionState.LATER: "#56b4e9",
}
