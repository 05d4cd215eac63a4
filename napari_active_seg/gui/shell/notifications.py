"""Passing messages to the person; errors stay in the dock until they are put away."""

from __future__ import annotations

from napari.utils import notifications

__all__ = ["notify"]


def notify(text: str) -> None:
    """Show a passing message."""
    notifications.show_info(text)
