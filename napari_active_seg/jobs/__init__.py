"""Work off the main thread: runners, progress, and a way to stop."""

from napari_active_seg.jobs.job import CancelToken, Job, JobKind, Progress, Work
from napari_active_seg.jobs.process_runner import ProcessRunner
from napari_active_seg.jobs.runner import InlineRunner, JobResult, Runner, ThreadRunner

__all__ = [
    "CancelToken",
    "InlineRunner",
    "Job",
    "JobKind",
    "JobResult",
    "ProcessRunner",
    "Progress",
    "Runner",
    "ThreadRunner",
    "Work",
]
