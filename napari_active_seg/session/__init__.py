"""The loop as verbs: what desktop, command line and notebook all speak to."""

from napari_active_seg.session.labels.whole_images import coarse_step
from napari_active_seg.session.session import Session
from napari_active_seg.session.state import SessionState
from napari_active_seg.session.training.task import TrainingResult
from napari_active_seg.session.view_state import ViewState, resolve_view

__all__ = ["Session", "SessionState", "TrainingResult", "ViewState", "coarse_step", "resolve_view"]
