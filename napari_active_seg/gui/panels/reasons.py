"""Enables widgets, and says in their tips why they are disabled."""

from __future__ import annotations

from qtpy.QtWidgets import QAbstractButton, QWidget

__all__ = ["allow", "allow_inside", "set_tip"]

#: Properties of a widget: its tip while enabled, why it is disabled, and why all around it is.
_USUAL, _WHY, _WHY_OUTSIDE = "active_seg_tip", "active_seg_why", "active_seg_why_outside"


def set_tip(widget: QWidget, tip: str) -> None:
    """Set the tip that a widget has while it is enabled."""
    widget.setProperty(_USUAL, tip)
    _show(widget)


def allow(widget: QWidget, why_not: str = "") -> None:
    """Enable ``widget``, unless ``why_not`` says why it cannot be used; its tip says so then."""
    _remember_tip(widget)
    widget.setProperty(_WHY, why_not)
    widget.setEnabled(not why_not)
    _show(widget)


def allow_inside(box: QWidget, why_not: str = "") -> None:
    """Enable a box of widgets, or disable it and let each button in it say why."""
    box.setEnabled(not why_not)
    for widget in box.findChildren(QAbstractButton):
        _remember_tip(widget)
        widget.setProperty(_WHY_OUTSIDE, why_not)
        _show(widget)


def _remember_tip(widget: QWidget) -> None:
    if widget.property(_USUAL) is None:
        widget.setProperty(_USUAL, widget.toolTip())


def _show(widget: QWidget) -> None:
    reasons = (widget.property(key) for key in (_WHY_OUTSIDE, _WHY, _USUAL))
    widget.setToolTip(next((str(text) for text in reasons if text), ""))
