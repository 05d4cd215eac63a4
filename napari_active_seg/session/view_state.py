"""What can be done and what should be seen, as a pure function of the session's state."""

from __future__ import annotations

from dataclasses import dataclass

from napari_active_seg.regions import RegionState
from napari_active_seg.session.state import SessionState

__all__ = ["ViewState", "resolve_view"]


@dataclass(frozen=True, slots=True)
class ViewState:
    """Which controls are enabled, which layers are wanted, and a line that says where we are."""

    can_propose: bool
    can_predict: bool
    can_train: bool
    can_paint: bool
    can_answer: bool
    can_reopen: bool
    can_cancel: bool
    shows_prediction: bool
    status: str


def resolve_view(state: SessionState) -> ViewState:
    """Return the view of ``state``."""
    writable, jobs = not state.read_only, state.jobs
    done = len(state.done_in_pool)
    return ViewState(
        can_propose=writable and "proposing" not in jobs,
        can_predict=writable and "predicting" not in jobs and state.model is not None,
        can_train=writable and "training" not in jobs and done > 0,
        can_paint=state.region is not None and not state.read_only,
        can_answer=state.in_hand_id is not None and not state.read_only,
        can_reopen=state.region is not None
        and not state.read_only
        and state.region.state not in (RegionState.PROPOSED, RegionState.IN_PROGRESS),
        can_cancel=state.job is not None,
        shows_prediction=state.image_id in state.predicted and not state.blind,
        status=_finished(state) + _status(state, done),
    )


def _finished(state: SessionState) -> str:
    return f"Finished as {state.finished_as}. " if state.finished_as else ""


def _status(state: SessionState, done: int) -> str:
    if state.read_only:
        return "Read-only: somebody else writes to this project, or it may not be written to"
    if state.job is not None:
        then = f"; then {', '.join(state.jobs[1:])}" if len(state.jobs) > 1 else ""
        return f"Working: {state.job}{then}"
    waiting, asked = len(state.open_regions), len(state.open_questions)
    images = f"{asked} {'image' if asked == 1 else 'images'} to name"
    if waiting:
        also = f", {images}" if asked else ""
        return f"{waiting} {_regions(waiting)} to label{also}, {done} done"
    if asked:
        return f"{images}, {done} {_regions(done)} done"
    if state.model is None and done == 0:
        return "Start with Propose: the first regions are drawn over the whole pool"
    if state.model is None:
        return f"{done} {_regions(done)} done: train a first model"
    model = state.model.id + (f" ({state.calibrated})" if state.calibrated else "")
    return f"{done} {_regions(done)} done, model {model} in use: train, or propose more"


def _regions(count: int) -> str:
    return "region" if count == 1 else "regions"
