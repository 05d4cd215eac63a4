"""How a person likes to work: blind or not, with which hand, with or without the clock."""

from __future__ import annotations

from qtpy.QtCore import QSignalBlocker
from qtpy.QtWidgets import QCheckBox, QComboBox, QLabel

from napari_active_seg.gui.annotate.shortcuts_dialog import KeysDialog
from napari_active_seg.gui.panels.base import Box, button, row
from napari_active_seg.gui.panels.reasons import allow
from napari_active_seg.gui.shell.dialogs import ask_apply_rule, ask_folder, kept_full
from napari_active_seg.gui.shell.notifications import notify
from napari_active_seg.session import Session, ViewState
from napari_active_seg.session.labels.service import NOT_LABELLED
from napari_active_seg.session.view_state import READ_ONLY

__all__ = ["HabitsBox"]


class HabitsBox(Box):
    """Settings of the project that change how one labels, and those of the person."""

    title_text = "How you work"

    def build(self) -> None:
        """Lay out the choices."""
        self.unpainted = QComboBox()
        self.unpainted.setToolTip("What unpainted pixels of finished regions count as")
        self.unpainted.activated.connect(self._unpainted)
        self.blind = QCheckBox("blind")
        self.blind.setToolTip(
            "Nothing of the model is shown or laid in, and regions come in a drawn order: "
            "labels that owe the model nothing"
        )
        self.blind.toggled.connect(self._blind)
        self.measures = QCheckBox("measure time")
        self.shows = QCheckBox("show it")
        self.measures.toggled.connect(lambda on: self.context.preferences.change(measures_time=on))
        self.shows.toggled.connect(lambda on: self.context.preferences.change(shows_time=on))
        self.keys = button("Keys...", self._keys, "See the keys and change them; ? shows them too")
        self.body.addWidget(row(QLabel("unpainted pixels count as"), self.unpainted))
        self.body.addWidget(row(self.measures, self.shows))
        self.helper = button("Click helper...", self._helper)
        self.helper.setToolTip("Choose the folder of a SAM checkpoint for the click tool")
        self.body.addWidget(row(self.blind, self.keys, self.helper))

    def render_state(self, session: Session, view: ViewState | None = None) -> None:
        """Show what holds."""
        state, config = session.state, session.project.config
        now = self.context.preferences.now
        self._show_rule(session)
        for box, value in (
            (self.blind, config.blind),
            (self.measures, now.measures_time),
            (self.shows, now.shows_time),
        ):
            with QSignalBlocker(box):
                box.setChecked(value)
        allow(self.shows, "" if now.measures_time else "Time is not measured")
        for widget in (self.unpainted, self.blind):
            allow(widget, READ_ONLY if state.read_only else "")

    def _show_rule(self, session: Session) -> None:
        """Show what unpainted pixels count as."""
        names = session.state.schema.names
        asks = session.labels.asks_about_unpainted
        offered = [("ignored", NOT_LABELLED), *((name, name) for name in names)]
        if asks:
            offered.insert(0, ("not asked yet", ""))
        index = session.labels.unpainted_class
        rule = "" if asks else NOT_LABELLED if index is None else names[index]
        combo = self.unpainted
        with QSignalBlocker(combo):
            if [(combo.itemText(k), combo.itemData(k)) for k in range(combo.count())] != offered:
                combo.clear()
                for text, value in offered:
                    combo.addItem(text, value)
            combo.setCurrentIndex(combo.findData(rule))

    def _unpainted(self, index: int) -> None:
        """Keep another rule, and offer to apply it to the regions that are finished already."""
        value = self.unpainted.itemData(index)

        def change(session: Session) -> None:
            before = session.project.config.unpainted
            if value and value != before:
                session.maintenance.configure(unpainted=value)
                self._offer_to_apply(session, had_class=before not in (None, NOT_LABELLED))

        self.context.with_session(change)()

    def _offer_to_apply(self, session: Session, *, had_class: bool) -> None:
        effect, index = session.labels.preview_unpainted_rule(), session.labels.unpainted_class
        name = None if index is None else session.state.schema.names[index]
        count = len(effect.changed)
        if count:
            if ask_apply_rule(self.context.parent, count, name, n_full=effect.n_full):
                session.labels.apply_unpainted_rule(wait=False)
        elif name is None and had_class and effect.n_full:
            notify(kept_full(effect.n_full))

    def _blind(self, wanted: bool) -> None:
        self.context.with_session(lambda session: session.maintenance.configure(blind=wanted))()

    def _helper(self) -> None:
        folder = ask_folder(self, "The folder of a SAM checkpoint")
        if folder is not None:
            self.context.preferences.change(click_helper=str(folder))

    def _keys(self) -> None:
        KeysDialog(self.context, self).show()
