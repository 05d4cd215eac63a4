"""Classes, tools and draft: what the current region is painted with."""

from __future__ import annotations

from functools import partial

from qtpy.QtCore import QSignalBlocker, Qt
from qtpy.QtWidgets import (
    QButtonGroup,
    QCheckBox,
    QGridLayout,
    QLabel,
    QPushButton,
    QSlider,
    QWidget,
)

from napari_active_seg.gui.annotate.actions import AnnotateActions
from napari_active_seg.gui.annotate.paint_tools import TOOLS
from napari_active_seg.gui.annotate.shortcuts import ACTIONS, KeyBook, describe_key
from napari_active_seg.gui.panels.base import Box, button, row
from napari_active_seg.gui.panels.classes import swatch
from napari_active_seg.gui.panels.reasons import allow, allow_inside, set_tip
from napari_active_seg.gui.shell.context import DockContext
from napari_active_seg.regions import LabelSchema
from napari_active_seg.session import Session, ViewState

__all__ = ["ToolsBox"]

_TITLES = {
    "brush": "Brush",
    "polygon": "Polygon",
    "fill": "Fill",
    "smart_fill": "Smart fill",
    "click": "Click",
    "erase": "Erase",
    "lasso": "Lasso",
    "snap": "Snap",
    "smooth": "Smooth",
    "specks": "Specks",
}


class ToolsBox(Box):
    """Paints with a class and a tool; the keys are in the tips."""

    title_text = "Paint with"

    def __init__(self, context: DockContext, actions: AnnotateActions) -> None:
        self.region_actions = actions
        super().__init__(context)
        actions.on_tool = self.show_tool

    def build(self) -> None:
        """Lay out classes, tools and the brush."""
        self.classes = QWidget()
        self.class_grid = QGridLayout(self.classes)
        self.class_grid.setContentsMargins(0, 0, 0, 0)
        self.class_grid.setColumnStretch(0, 1)
        self.class_buttons = QButtonGroup(self)
        self._schema: LabelSchema | None = None
        self.tools: dict[str, QPushButton] = {}
        self.tool_buttons = QButtonGroup(self)
        grid = QGridLayout()
        for place, name in enumerate(_TITLES):
            made = button(_TITLES[name], partial(self._use, name))
            if name in TOOLS:
                made.setCheckable(True)
                self.tool_buttons.addButton(made)
            self.tools[name] = made
            grid.addWidget(made, place // 4, place % 4)
        grid.setSpacing(4)
        self.keep = QCheckBox("keep others")
        self.keep.setToolTip("Do not paint over other classes")
        self.keep.clicked.connect(lambda _on: self.region_actions.toggle_keeping())
        self.brush = QSlider(Qt.Orientation.Horizontal)
        self.brush.setRange(1, 100)
        self.brush.valueChanged.connect(self._resize)
        self.brush_size = QLabel()
        self.brush_size.setMinimumWidth(34)
        self.draft = button("Accept draft", self.region_actions.accept_draft)
        self.whole = button("All of it", self.region_actions.fill_whole)
        self.body.addWidget(self.classes)
        self.body.addLayout(grid)
        self.body.addWidget(row(QLabel("brush"), self.brush, self.brush_size, self.keep))
        self.body.addWidget(row(self.draft, self.whole))

    def render_state(self, session: Session, view: ViewState) -> None:
        """Show the classes and whether anything can be painted."""
        state = session.state
        if self._schema != state.schema:
            self._show_classes(state.schema)
        allow_inside(self, view.why_not.paint)
        region = state.region
        seen = region is not None and session.predictions.may_know(region.region)
        why_not = "" if seen else "The region is not predicted yet"
        if state.blind:
            why_not = "You label blind: predictions are hidden"
        allow(self.draft, view.why_not.use_model or why_not)
        allow(self.tools["lasso"], view.why_not.use_model or why_not)
        self.show_tool()

    def show_keys(self, book: KeyBook) -> None:
        """Say in the tips which key does what."""
        for name, made in self.tools.items():
            set_tip(made, f"{ACTIONS[name].description} ({describe_key(book.keys[name])})")
        whole = describe_key(book.keys["whole"])
        set_tip(self.whole, f"The whole region is of the current class ({whole})")
        accept = describe_key(book.keys["accept"])
        set_tip(self.draft, f"Lay the prediction in where nothing is painted ({accept})")

    def show_tool(self) -> None:
        """Mark the tool and the current class."""
        tools = self.region_actions.tools
        layer = None if tools is None else tools.layer
        if tools is None or layer is None:
            return
        self.tools[tools.tool].setChecked(True)
        for index, made in enumerate(self.class_buttons.buttons()):
            made.setChecked(index + 1 == layer.selected_label)
        with QSignalBlocker(self.brush):
            self.brush.setValue(int(layer.brush_size))
        self.brush_size.setText(f"{layer.brush_size:.0f} px")
        self.keep.setChecked(tools.keeps_others)

    def _show_classes(self, schema: LabelSchema) -> None:
        self._schema = schema
        for made in self.class_buttons.buttons():
            self.class_buttons.removeButton(made)
        while (item := self.class_grid.takeAt(0)) is not None:
            item.widget().deleteLater()
        for index, (name, colour) in enumerate(zip(schema.names, schema.colours, strict=True)):
            tip = f"Paint {name}" + (f" (Alt+{index + 1})" if index < 9 else "")
            shown = name.replace("&", "&&")  # a single one would take Alt and the next letter
            paint = button(shown, partial(self.region_actions.choose_class, index), tip)
            paint.setIcon(swatch(colour))
            paint.setCheckable(True)
            self.class_buttons.addButton(paint)
            rest = button("rest", partial(self.region_actions.fill_rest, index))
            rest.setToolTip(f"Give {name} to every pixel of the region that is not painted yet")
            self.class_grid.addWidget(paint, index, 0)
            self.class_grid.addWidget(rest, index, 1)

    def _use(self, name: str) -> None:
        self.region_actions.by_name[name]()

    def _resize(self, size: int) -> None:
        tools = self.region_actions.tools
        if tools is not None and tools.layer is not None:
            tools.layer.brush_size = size
            self.brush_size.setText(f"{size} px")
