"""Work off the main thread: runners, progress, and a way to stop."""

from napari_active_seg.jobs.job import CancelToken, Job, Progress
from napari_active_seg.jobs.process_runner import ProcessRunner
from napari_active_seg.jobs.runner import Finished, InlineRunner, Runner, ThreadRunner

__all__ = [
    "CancelToken",
    "Finished",
    "InlineRunner",
    "Job",
    "ProcessRunner",
    "Progress",
    "Runner",
    "ThreadRunner",
]
