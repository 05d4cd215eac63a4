"""The public Python API, and the one place where all parts are put together.

The only module that imports both the session and what trains networks; Qt, napari and torch load
when they are first needed.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from napari_active_seg.gui.shell.backend import Backend
from napari_active_seg.images.samples import write_sample_set
from napari_active_seg.jobs import InlineRunner, ProcessRunner, Runner, ThreadRunner
from napari_active_seg.learning.factory import TorchSegmenterFactory
from napari_active_seg.models.interactive import InteractiveSegmenter, registered_click_helpers
from napari_active_seg.notebook.progress import NotebookProgress, in_notebook
from napari_active_seg.project import Project
from napari_active_seg.session import Session
from napari_active_seg.session.create_project import create_project

__all__ = [
    "create_project",
    "desktop_backend",
    "load_click_helper",
    "open_session",
    "write_sample_project",
]

_SAMPLE_IMAGES = 5


def open_session(
    folder: Path | str,
    *,
    device: str = "auto",
    in_background: bool = False,
    read_only: bool = False,
    take_over: bool = False,
) -> Session:
    """Open the project in ``folder``; close the session when you are done.

    Parameters
    ----------
    folder
        The project folder, as ``create_project`` made it.
    device
        Where networks run: ``auto``, ``cpu``, ``cuda`` or a name that torch knows.
    in_background
        Run jobs in a thread, or in a process where the project is set to, and predict the image on
        screen automatically, as the desktop does. By default each method returns when its job has
        ended.
    read_only
        Open the project without write access, also while another session writes to it.
    take_over
        Take the write access from a session that is gone for certain.

    Returns
    -------
    Session
        A context manager: ``with open_session("study") as session: ...`` closes it.

    Raises
    ------
    ProjectError
        If ``folder`` is not a project, or is damaged.
    ProjectHeldError
        If another session writes to the project.
    """
    project = Project.open(Path(folder), read_only=read_only, take_over=take_over)
    runner: Runner = InlineRunner()
    if in_background:
        runner = ProcessRunner() if project.config.worker == "process" else ThreadRunner()
    segmenters = TorchSegmenterFactory(device, with_window=in_background)
    try:
        session = Session(project, segmenters, runner, follows_screen=in_background)
        if in_notebook() and not in_background:
            NotebookProgress(session)
        return session
    except BaseException:
        runner.close()
        project.close()
        raise


def write_sample_project(
    name: str, folder: Path, *, on_image: Callable[[int, int], None] | None = None
) -> Path:
    """Draw a sample set below ``folder``, make a project of it, and return its folder."""
    sample_set = write_sample_set(name, folder, count=_SAMPLE_IMAGES, on_image=on_image)
    created = create_project(
        folder / f"{name}-project",
        images_dir=folder / "images",
        classes=sample_set.classes,
        masks_dir=folder / "masks",
    )
    return created.folder


def load_click_helper(place: str) -> InteractiveSegmenter:
    """Return the registered interactive segmenter of a name, or the SAM checkpoint in a folder."""
    registered = registered_click_helpers()
    if place in registered:
        return registered[place]()
    from napari_active_seg.learning import load_sam

    return load_sam(Path(place).expanduser())


def desktop_backend() -> Backend:
    """Return the functions that the dock needs of packages that it may not import."""
    return Backend(
        open_session=partial(open_session, in_background=True),
        write_sample_project=write_sample_project,
        load_click_helper=load_click_helper,
    )
