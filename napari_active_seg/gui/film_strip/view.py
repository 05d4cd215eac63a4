"""The strip on the screen: only what is seen of it is ever drawn."""

from __future__ import annotations

from qtpy.compat import isalive
from qtpy.QtCore import QAbstractListModel, QModelIndex, QRect, QSize, Qt, Signal
from qtpy.QtGui import QColor, QImage, QPainter, QPen, QWheelEvent
from qtpy.QtWidgets import QListView, QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from napari_active_seg.acquisition import RegionKind
from napari_active_seg.gui.annotate.region_reason import chosen_by, describe_reason
from napari_active_seg.gui.canvas.state_colours import STATE_COLOURS
from napari_active_seg.gui.film_strip.filters import in_order
from napari_active_seg.gui.film_strip.thumbnail_loader import ThumbnailLoader
from napari_active_seg.project import QueuedRegion
from napari_active_seg.session import Session, SessionState

__all__ = ["FilmStrip"]

#: Side of a picture, and room for the line below it, in pixels.
_SIDE, _LINE, _GAP = 72, 17, 5
_QUEUED = int(Qt.ItemDataRole.UserRole)


class _Regions(QAbstractListModel):  # type: ignore[misc]
    """The regions of the strip; a change that keeps their order redraws only what differs."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.shown: tuple[QueuedRegion, ...] = ()
        self.place: dict[str, int] = {}
        self.thumbnails: ThumbnailLoader | None = None
        self.measure: str | None = None
        self.version: object = None
        self.predicted: frozenset[str] = frozenset()
        self.blind = False
        self.annotator = ""

    def rowCount(self, parent: QModelIndex | None = None) -> int:  # noqa: N802 - Qt's name
        """Return how many there are."""
        return 0 if parent is not None and parent.isValid() else len(self.shown)

    def data(self, index: QModelIndex, role: int = _QUEUED) -> object:
        """Return a region, its picture, or the words about it."""
        if not index.isValid() or index.row() >= len(self.shown):
            return None
        queued = self.shown[index.row()]
        if role == _QUEUED:
            return queued
        if role == Qt.ItemDataRole.DecorationRole:
            return self._picture(queued)
        if role == Qt.ItemDataRole.ToolTipRole:
            return self._tip(queued)
        if role == Qt.ItemDataRole.DisplayRole:
            return self._line(queued)
        return None

    def show(self, regions: tuple[QueuedRegion, ...]) -> None:
        """Show other regions, or the same in other states."""
        old = self.shown
        if [q.id for q in old] != [q.id for q in regions]:
            self.beginResetModel()
            self.shown = regions
            self.place = {queued.id: row for row, queued in enumerate(regions)}
            self.endResetModel()
            return
        self.shown = regions
        for row, (queued, before) in enumerate(zip(regions, old, strict=True)):
            if queued is not before and queued != before:
                self.tell(row)

    def tell(self, row: int) -> None:
        """Let one be drawn again."""
        index = self.index(row)
        self.dataChanged.emit(index, index)

    def on_picture(self, region_id: str) -> None:
        """Draw the region whose picture has just been made."""
        row = self.place.get(region_id)
        if row is not None:
            self.tell(row)

    def _picture(self, queued: QueuedRegion) -> QImage | None:
        if self.thumbnails is None:
            return None
        seen = queued.region.image_id in self.predicted
        return self.thumbnails.picture(
            queued, measure=self.measure if seen else None, version=(self.version, seen)
        )

    def _line(self, queued: QueuedRegion) -> str:
        seconds = f"{queued.cost:.0f} s"
        if queued.kind is RegionKind.MANUAL:
            return chosen_by(queued, self.annotator)
        return seconds if self.blind else f"{queued.information:.2f}  {seconds}"

    def _tip(self, queued: QueuedRegion) -> str:
        region = queued.region
        where = f"{region.image_id}, y {region.y}, x {region.x}: {queued.state.replace('_', ' ')}"
        if self.blind:
            return where
        kind = f" ({queued.kind.display_name})"
        return f"{where}{kind}\nscore {queued.information:.4f}, about {queued.cost:.0f} s\n" + (
            describe_reason(queued, self.annotator)
        )


class _Frame(QStyledItemDelegate):  # type: ignore[misc]
    """Draws one picture with its line, and a bar in the colour of its state."""

    def sizeHint(self, _option: QStyleOptionViewItem, _index: QModelIndex) -> QSize:  # noqa: N802
        """Return the same for all, so that nothing has to be measured."""
        return QSize(_SIDE + 2 * _GAP, _SIDE + _LINE + 2 * _GAP + 4)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        """Draw it."""
        queued = index.data(_QUEUED)
        if queued is None:
            return
        painter.save()
        box = option.rect.adjusted(_GAP, _GAP, -_GAP, -_GAP)
        picture = QRect(box.left(), box.top(), _SIDE, _SIDE)
        image = index.data(Qt.ItemDataRole.DecorationRole)
        if image is None:
            painter.fillRect(picture, option.palette.color(option.palette.ColorRole.Mid))
        else:
            scaled = image.size().scaled(picture.size(), Qt.AspectRatioMode.KeepAspectRatio)
            at = QRect(0, 0, scaled.width(), scaled.height())
            at.moveCenter(picture.center())
            painter.drawImage(at, image)
        bar = QRect(picture.left(), picture.bottom() + 1, _SIDE, 4)
        painter.fillRect(bar, QColor(STATE_COLOURS[queued.state]))
        if option.state & QStyle.StateFlag.State_Selected:
            painter.setPen(QPen(QColor("#ffffff"), 2))
            painter.drawRect(picture.adjusted(-1, -1, 1, 5))
        painter.setPen(option.palette.color(option.palette.ColorRole.Text))
        font = painter.font()
        font.setPointSizeF(max(7.0, font.pointSizeF() * 0.85))
        painter.setFont(font)
        line = QRect(box.left() - _GAP, bar.bottom() + 1, _SIDE + 2 * _GAP, _LINE)
        painter.drawText(line, Qt.AlignmentFlag.AlignCenter, index.data())
        painter.restore()


class FilmStrip(QListView):  # type: ignore[misc]
    """Regions side by side; a click chooses one."""

    chosen = Signal(str)  # id of the region

    def __init__(self) -> None:
        super().__init__()
        self.regions = _Regions(self)
        self.setModel(self.regions)
        self.setItemDelegate(_Frame(self))
        self.setFlow(QListView.Flow.LeftToRight)
        self.setWrapping(False)
        self.setUniformItemSizes(True)
        self.setHorizontalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSelectionMode(QListView.SelectionMode.SingleSelection)
        self.setFixedHeight(_SIDE + _LINE + 2 * _GAP + 4 + 18)
        self.clicked.connect(self._choose)
        self._known: object = None
        self._project: object = None

    def show_state(self, session: Session, *, shown: str, by: str) -> None:
        """Show a session's queue, with the current region marked and in sight."""
        state = session.state
        self._follow(session)
        version = (state.model.id if state.model else None, state.calibrated)
        measure = None if state.blind else state.measure
        here = state.image_id if shown == "this image" else None
        asked = (state.queue, state.questions)
        known = (asked, state.blind, shown, by, version, measure, state.predicted, here)
        if known != self._known:
            self._known = known
            self.regions.measure, self.regions.blind = measure, state.blind
            self.regions.version, self.regions.predicted = version, state.predicted
            self.regions.annotator = session.project.config.annotator
            self.regions.show(in_order(state, shown=shown, by=by))
            self.viewport().update()
        self._mark(state)

    def close_project(self) -> None:
        """Let go of the project."""
        self.let_go()
        self._known = self._project = None
        self.regions.show(())

    def let_go(self) -> None:
        """End the thread that makes pictures; the window may be gone already."""
        thumbnails, self.regions.thumbnails = self.regions.thumbnails, None
        if thumbnails is not None:
            thumbnails.made.disconnect()
            thumbnails.close()

    def wheelEvent(self, event: QWheelEvent) -> None:  # noqa: N802 - Qt's name
        """Turn the wheel to scroll sideways."""
        delta = event.angleDelta()
        steps = delta.y() if delta.x() == 0 else delta.x()
        bar = self.horizontalScrollBar()
        bar.setValue(bar.value() - steps)
        event.accept()

    def _follow(self, session: Session) -> None:
        if session.project is self._project:
            return
        self.close_project()
        self._project = session.project
        thumbnails = ThumbnailLoader(session.project, side=_SIDE)
        self.regions.thumbnails = thumbnails

        def on_picture(region_id: str) -> None:
            if isalive(self) and self.regions.thumbnails is thumbnails:  # or it is gone
                self.regions.on_picture(region_id)

        thumbnails.made.connect(on_picture, thread="main")

    def _mark(self, state: SessionState) -> None:
        row = self.regions.place.get(state.current_id or "", -1)
        if row < 0:
            self.clearSelection()
        elif self.currentIndex().row() != row or not self.selectedIndexes():
            index = self.regions.index(row)
            self.setCurrentIndex(index)
            self.scrollTo(index, QListView.ScrollHint.PositionAtCenter)

    def _choose(self, index: QModelIndex) -> None:
        queued = index.data(_QUEUED)
        if queued is not None:
            self.chosen.emit(queued.id)
