"""Progress of a session's jobs as bars in a notebook."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_active_seg.jobs import JobKind, Progress
    from napari_active_seg.session import Session, SessionState

__all__ = ["NotebookProgress", "in_notebook"]


def in_notebook() -> bool:
    """Return whether this runs in the kernel of a notebook."""
    shell = sys.modules.get("IPython")
    get = getattr(shell, "get_ipython", None)
    return get is not None and hasattr(get(), "kernel")


class NotebookProgress:
    """Shows each job of a session as a bar of tqdm: a widget, or text where there are none."""

    def __init__(self, session: Session, make_bar: Callable[..., Any] | None = None) -> None:
        self._make_bar = make_bar or _make_bar
        self._bar: Any = None
        self._job: JobKind | None = None
        # Signals hold methods weakly; these functions keep the bars as long as the session lives.
        session.progressed.connect(lambda progress: self._on_progress(progress))
        session.state_changed.connect(lambda new, old: self._on_state(new, old))

    def _on_progress(self, progress: Progress) -> None:
        if self._bar is None or self._job != progress.job:
            self._close()
            self._job = progress.job
            self._bar = self._make_bar(desc=progress.job.title, total=progress.total or None)
        bar = self._bar
        bar.total = progress.total or None
        bar.n = progress.done
        loss = "" if progress.loss is None else f"loss {progress.loss:.3f}"
        bar.set_postfix_str(" ".join(filter(None, (progress.text, loss))), refresh=False)
        bar.refresh()

    def _on_state(self, new: SessionState, old: SessionState) -> None:
        if new.job != old.job:
            self._close()

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
        self._bar = None


def _make_bar(**facts: Any) -> Any:
    from tqdm import notebook, std

    try:
        return notebook.tqdm(**facts)
    except ImportError:  # no widgets are installed
        return std.tqdm(**facts)
