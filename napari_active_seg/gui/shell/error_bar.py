"""What went wrong, once, in words, with a remedy and the details to hand on."""

from __future__ import annotations

import platform
import sys
import traceback
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version

from qtpy import API_NAME
from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtGui import QGuiApplication
from qtpy.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QTabWidget,
    QVBoxLayout,
)

from napari_active_seg.errors import ActiveSegError, describe_disk_error

__all__ = ["MessageBar", "details_of"]

_LOOK = (
    "MessageBar { border: 1px solid #d55e00; border-left: 4px solid #d55e00; border-radius: 3px; }"
)
_PACKAGES = ("napari-active-seg", "napari", "torch", "torchvision", "numpy")


class MessageBar(QFrame):  # type: ignore[misc]
    """Shows the latest error over the top of a tab; the same one again is counted.

    It lies over the tab rather than above it, so that no button moves under the mouse.
    It goes when it is closed, when its action has succeeded, or when another project is opened.
    """

    def __init__(self, tabs: QTabWidget) -> None:
        super().__init__(tabs)
        self._tabs = tabs
        tabs.installEventFilter(self)
        self.setStyleSheet(_LOOK)
        self.setAutoFillBackground(True)
        self._details, self._said, self._times, self._action = "", "", 0, ""
        self.text = QLabel()
        self.text.setWordWrap(True)
        self.text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.text.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Minimum)
        #: One button for each remedy of the error on show.
        self.remedies: list[QPushButton] = []
        self.copy = QPushButton("Copy details")
        self.copy.setToolTip("What happened, where, and which versions, for a report")
        self.copy.clicked.connect(self._copy)
        self.away = QPushButton("Close")
        self.away.clicked.connect(self.hide)
        self._remedies = QVBoxLayout()
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        buttons.addWidget(self.copy)
        buttons.addWidget(self.away)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 6, 8, 6)
        layout.addWidget(self.text)
        layout.addLayout(self._remedies)
        layout.addLayout(buttons)
        self.hide()

    def show_error(
        self,
        error: Exception,
        action: str = "",
        remedies: Sequence[tuple[str, Callable[[], object]]] = (),
    ) -> None:
        """Show an error of an action; one that is shown already is not shown twice.

        ``remedies`` become buttons: the text of each and what it does.
        """
        said = describe_error(error)
        self._times = self._times + 1 if said == self._said and not self.isHidden() else 1
        self._said, self._details, self._action = said, details_of(error), action
        again = f" ({self._times} times)" if self._times > 1 else ""
        self.text.setText(said + again)
        self.copy.setText("Copy details")
        self._show_remedies(remedies)
        self.show()
        self._place()

    def offer(self, text: str, remedy: Callable[[], object]) -> None:
        """Offer a button that does something about the error that is shown."""
        self._show_remedies([(text, remedy)])
        self._place()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 - Qt's name
        """Stay as wide as the tabs."""
        if event.type() == QEvent.Type.Resize and self.isVisible():
            self._place()
        return bool(super().eventFilter(watched, event))

    def _place(self) -> None:
        """Lie below the names of the tabs, as high as the text needs."""
        width, top = self._tabs.width(), self._tabs.tabBar().height()
        self.setGeometry(0, top, width, self.layout().totalHeightForWidth(width))
        self.raise_()

    def resolve(self, action: str) -> None:
        """Hide the error of an action; of any, if ``action`` is empty."""
        if not action or action == self._action:
            self.hide()

    def hide_error(self, error: Exception) -> None:
        """Hide an error that no longer holds, if it is the one on show."""
        if describe_error(error) == self._said:
            self.hide()

    def _show_remedies(self, remedies: Sequence[tuple[str, Callable[[], object]]]) -> None:
        for button in self.remedies:
            self._remedies.removeWidget(button)
            button.deleteLater()
        self.remedies = []
        for label, apply in remedies:
            button = QPushButton(label)
            button.clicked.connect(lambda _checked=False, act=apply: self._apply(act))
            self._remedies.addWidget(button)
            self.remedies.append(button)

    def _apply(self, remedy: Callable[[], object]) -> None:
        """Put the error away and resolve it; what fails then is shown in its place."""
        self.hide()
        remedy()

    def _copy(self) -> None:
        clipboard = QGuiApplication.clipboard()
        if clipboard is not None:
            clipboard.setText(self._details)
            self.copy.setText("Copied")


def describe_error(error: Exception) -> str:
    """Return what went wrong and what to do about it.

    Errors of ours carry their remedy, and what the disk refuses has one; anything else is a fault
    of the program and says so.
    """
    if isinstance(error, ActiveSegError):
        text = str(error)
        return text[:1].upper() + text[1:]
    return describe_disk_error(error) or (
        f"The program made a mistake: {type(error).__name__}: {error}. Nothing that was saved is "
        "lost. Copy the details and report them with what you did last"
    )


def details_of(error: Exception) -> str:
    """Return what a report of an error needs: words, trace, versions."""
    trace = "".join(traceback.format_exception(error))
    versions = [f"{name} {_version(name)}" for name in _PACKAGES]
    return "\n".join(
        [
            describe_error(error),
            "",
            trace.rstrip(),
            "",
            f"Python {sys.version.split()[0]} on {platform.platform()}, {API_NAME}",
            ", ".join(versions),
        ]
    )


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
