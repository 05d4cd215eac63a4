"""What is shown of an image in addition to its pixels."""

from __future__ import annotations

from dataclasses import replace

from qtpy.QtCore import QSignalBlocker, Qt
from qtpy.QtWidgets import QCheckBox, QDoubleSpinBox, QGridLayout, QLabel, QSlider

from napari_active_seg.gui.annotate.actions import AnnotateActions
from napari_active_seg.gui.annotate.shortcuts import KeyBook, describe_key
from napari_active_seg.gui.panels.base import Box, button, row
from napari_active_seg.gui.panels.reasons import allow
from napari_active_seg.gui.shell.context import DockContext
from napari_active_seg.gui.shell.preferences import Preferences
from napari_active_seg.session import Session, ViewState

__all__ = ["SeeBox"]


class SeeBox(Box):
    """Maps, masks and how strongly they are coloured."""

    title_text = "See"

    def __init__(self, context: DockContext, actions: AnnotateActions) -> None:
        self.region_actions = actions
        super().__init__(context)

    def build(self) -> None:
        """Lay out what can be shown."""
        change = self.context.preferences.change
        self.prediction, self.uncertainty = QCheckBox("prediction"), QCheckBox("uncertainty")
        self.prediction.toggled.connect(lambda on: change(shows_prediction=on))
        self.uncertainty.toggled.connect(lambda on: change(shows_uncertainty=on))
        self.prediction_opacity = _opacity_slider("Opacity of the prediction")
        self.uncertainty_opacity = _opacity_slider(
            "Opacity of the uncertainty; inside the region that you paint it is never shown"
        )
        self.prediction_opacity.valueChanged.connect(
            lambda percent: change(prediction_opacity=percent / 100)
        )
        self.uncertainty_opacity.valueChanged.connect(
            lambda percent: change(uncertainty_opacity=percent / 100)
        )
        overlays = QGridLayout()
        overlays.addWidget(self.prediction, 0, 0)
        overlays.addWidget(self.prediction_opacity, 0, 1)
        overlays.addWidget(self.uncertainty, 1, 0)
        overlays.addWidget(self.uncertainty_opacity, 1, 1)
        self.body.addLayout(overlays)
        self.context.preferences.changed.connect(self._show_overlays)
        self._show_overlays(self.context.preferences.now)
        self.dims = QCheckBox("dim outside")
        self.fills = QCheckBox("fill the prediction")
        self.disagreement = QCheckBox("two models")
        self.disagreement.setToolTip("Where the model in use and the one before disagree")
        self.tissue = QCheckBox("tissue")
        self.tissue.setToolTip("Where regions are proposed; the Propose tab corrects it")
        self.dims.toggled.connect(lambda on: self.context.preferences.change(dims=on))
        self.fills.toggled.connect(lambda on: self.context.preferences.change(fills_prediction=on))
        self.disagreement.toggled.connect(lambda on: self._look(disagreement=on))
        self.tissue.toggled.connect(lambda on: self._look(tissue=on))
        self.clip = QDoubleSpinBox()
        self.clip.setRange(50, 100)
        self.clip.setDecimals(1)
        self.clip.setSuffix(" %")
        self.clip.setToolTip("The percentile of the map at which its colours end")
        self.clip.valueChanged.connect(lambda value: self.context.preferences.change(clip=value))
        self.jump = button("Most uncertain place", self.region_actions.to_most_uncertain)
        grid = QGridLayout()
        for place, made in enumerate((self.dims, self.fills, self.disagreement, self.tissue)):
            grid.addWidget(made, place // 2, place % 2)
        self.body.addLayout(grid)
        self.body.addWidget(row(QLabel("colours end at"), self.clip))
        self.body.addWidget(self.jump)

    def render_state(self, session: Session, view: ViewState) -> None:
        """Show what is shown."""
        now, see, state = self.context.preferences.now, self.region_actions.see, session.state
        boxes = (self.dims, self.fills, self.disagreement, self.tissue)
        values = (now.dims, now.fills_prediction, see.disagreement, see.tissue)
        for box, value in zip(boxes, values, strict=True):
            with QSignalBlocker(box):
                box.setChecked(value)
        with QSignalBlocker(self.clip):
            self.clip.setValue(now.clip)
        blind = "You label blind: predictions are hidden" if state.blind else ""
        one = "" if len(state.models) > 1 else "Two models are needed: train once more"
        allow(self.disagreement, blind or one)
        unknown = "" if view.shows_prediction else "This image is not predicted yet"
        allow(self.jump, blind or view.why_not.use_model or unknown)

    def _show_overlays(self, now: Preferences) -> None:
        """Show how the maps are shown, which keys and napari's layer list change too."""
        book = KeyBook(now.hand, now.keys)
        for box, slider, name, shown, opacity in (
            (
                self.prediction,
                self.prediction_opacity,
                "prediction",
                now.shows_prediction,
                now.prediction_opacity,
            ),
            (
                self.uncertainty,
                self.uncertainty_opacity,
                "uncertainty",
                now.shows_uncertainty,
                now.uncertainty_opacity,
            ),
        ):
            with QSignalBlocker(box), QSignalBlocker(slider):
                box.setChecked(shown)
                slider.setValue(round(100 * opacity))
            box.setToolTip(f"Show the {name} ({describe_key(book.keys[name])})")
            slider.setEnabled(shown)

    def _look(self, **wanted: bool) -> None:
        self.region_actions.look(replace(self.region_actions.see, **wanted))


def _opacity_slider(tip: str) -> QSlider:
    made = QSlider(Qt.Orientation.Horizontal)
    made.setRange(5, 100)
    made.setToolTip(tip)
    return made
