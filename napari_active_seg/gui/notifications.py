"""Messages to the person; the only place where an exception becomes words on the screen."""

from __future__ import annotations

from napari.utils import notifications

from napari_active_seg.errors import ActiveSegError

__all__ = ["tell_error", "tell_info"]


def tell_info(text: str) -> None:
    """Show a passing message."""
    notifications.show_info(text)


def tell_error(error: Exception) -> None:
    """Show what went wrong and what to do about it.

    Errors of ours carry their remedy; anything else is a fault of the program and says so.
    """
    if isinstance(error, ActiveSegError):
        notifications.show_warning(str(error))
        return
    notifications.show_warning(
        f"The program made a mistake: {type(error).__name__}: {error}. Nothing that was saved is "
        "lost. Please report it with what you did last"
    )
