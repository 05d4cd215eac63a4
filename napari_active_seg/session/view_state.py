"""What can be done and what should be seen, as a pure function of the session's state."""

from __future__ import annotations

from dataclasses import dataclass

from napari_active_seg.jobs import JobKind
from napari_active_seg.regions import RegionState
from napari_active_seg.session.state import SessionState

__all__ = ["READ_ONLY", "ViewState", "WhyNot", "resolve_view"]


#: Why nothing of a project can be changed.
READ_ONLY = "The project is open read-only"


@dataclass(frozen=True, slots=True)
class WhyNot:
    """Why something cannot be done now, in a sentence; empty where it can."""

    write: str = ""
    use_model: str = ""
    propose: str = ""
    predict: str = ""
    train: str = ""
    paint: str = ""
    answer: str = ""
    reopen: str = ""
    start_job: str = ""


@dataclass(frozen=True, slots=True)
class ViewState:
    """Which controls are enabled, which layers are wanted, and the status line."""

    why_not: WhyNot
    can_cancel: bool
    shows_prediction: bool
    status: str

    @property
    def can_propose(self) -> bool:
        """Whether regions can be proposed."""
        return not self.why_not.propose

    @property
    def can_predict(self) -> bool:
        """Whether images can be predicted."""
        return not self.why_not.predict

    @property
    def can_train(self) -> bool:
        """Whether a network can be trained."""
        return not self.why_not.train

    @property
    def can_paint(self) -> bool:
        """Whether there is a region to paint in."""
        return not self.why_not.paint

    @property
    def can_answer(self) -> bool:
        """Whether there is a region to finish, or a question to answer."""
        return not self.why_not.answer

    @property
    def can_reopen(self) -> bool:
        """Whether the current region can be reopened."""
        return not self.why_not.reopen


def resolve_view(state: SessionState) -> ViewState:
    """Return the view of ``state``."""
    done = len(state.done_in_pool)
    return ViewState(
        why_not=_why_not(state, done),
        can_cancel=state.job is not None,
        shows_prediction=state.image_id in state.predicted and not state.blind,
        status=_finished(state) + _status(state, done),
    )


def _why_not(state: SessionState, done: int) -> WhyNot:
    write = READ_ONLY if state.read_only else ""
    jobs, region = state.jobs, state.region
    model = "" if state.model is not None else "No model yet: train one first"
    no_region = "" if region is not None else "No region is selected: click a thumbnail above"
    none_done = "" if done else "No finished regions yet: finish a region first"
    is_open = region is not None and region.state in (RegionState.PROPOSED, RegionState.IN_PROGRESS)
    open_still = "This region is not finished yet" if is_open else ""
    return WhyNot(
        write=write,
        use_model=model,
        propose=write or _running(JobKind.PROPOSE, jobs, "Regions are being proposed"),
        predict=write or model or _running(JobKind.PREDICT, jobs, "Images are being predicted"),
        train=write or none_done or _running(JobKind.TRAIN, jobs, "A network is being trained"),
        paint=write or no_region,
        answer=write or ("" if state.current_id is not None else no_region),
        reopen=write or no_region or open_still,
        start_job=f"Wait for this to end, or stop it: {state.job.title}" if state.job else "",
    )


def _running(job: JobKind, jobs: tuple[JobKind, ...], words: str) -> str:
    return f"{words}: wait for it, or stop it" if job in jobs else ""


def _finished(state: SessionState) -> str:
    return f"Finished as {state.finished_as}. " if state.finished_as else ""


def _status(state: SessionState, done: int) -> str:
    if state.taken_over_by:
        return f"Read-only: {state.taken_over_by} has taken over this project"
    if state.read_only:
        return "Read-only: somebody else writes to this project, or it may not be written to"
    if state.job is not None:
        later = ", ".join(job.title for job in state.jobs[1:])
        return f"Working: {state.job.title}" + (f"; then {later}" if later else "")
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
