"""Labels to look at again, with the place, and how far people agree."""

from __future__ import annotations

from qtpy.QtWidgets import QListWidgetItem

from napari_active_seg.gui.panels.base import Box, button, sentence, text_label
from napari_active_seg.gui.panels.diff_list import Listing, Row
from napari_active_seg.gui.panels.reasons import allow
from napari_active_seg.jobs import JobKind
from napari_active_seg.session import Session, ViewState

__all__ = ["ReviewBox"]

_MOST = 50


class ReviewBox(Box):
    """Finished regions that a model contradicts which has not seen them; a click goes there."""

    title_text = "Labels to look at again"

    def build(self) -> None:
        """Lay out the list."""
        self.go = button(
            "Review labels",
            self.context.with_session(lambda session: session.trust.review(wait=False)),
            "Train three models, each without a third of the images, and see what they contradict",
        )
        self.about = text_label()
        self.found = Listing()
        self.found.setMinimumHeight(110)
        self.found.itemClicked.connect(self._go_there)
        self.agreement = text_label()
        for widget in (self.go, self.about, self.found, self.agreement):
            self.body.addWidget(widget)
        self._places: dict[str, tuple[float, float]] = {}

    def render_state(self, session: Session, view: ViewState) -> None:
        """Enable a review where there is something to review."""
        why_not = view.why_not.write
        if not session.state.done_in_pool:
            why_not = why_not or "No finished regions yet: finish a region first"
        if JobKind.REVIEW in session.state.jobs:
            why_not = why_not or "Labels are being reviewed: wait for it, or stop it"
        allow(self.go, why_not)

    def show_known(self, session: Session) -> None:
        """Show what the latest review doubts, and how far people agree."""
        found, classes = session.trust.latest_review(), session.state.schema.names
        self.about.setText("Not reviewed yet" if found is None else sentence(found.summary))
        findings = () if found is None else found.findings
        shown = findings[:_MOST]
        self._places = {
            f.region_id: (f.place.y + f.place.height / 2, f.place.x + f.place.width / 2)
            for f in shown
        }
        self.found.show_rows(
            [
                Row(f.region_id, f"{f.image_id}: {f.describe(classes)}", f.describe(classes))
                for f in shown
            ],
            current=None,
        )
        self.found.setVisible(bool(shown))
        lines = [
            f"{a.one} and {a.other} agree on {a.n_regions} regions: kappa {a.kappa:.2f}, "
            f"Dice {a.mean_dice:.2f}"
            for a in session.trust.agreements()
            if a.region_id is None
        ]
        self.agreement.setText("\n".join(lines))
        self.agreement.setVisible(bool(lines))

    def _go_there(self, item: QListWidgetItem) -> None:
        session, region_id = self.context.session, Listing.key_of(item)
        if session is None:
            return
        self.context.run(lambda: session.select_region(region_id))
        y, x = self._places[region_id]
        self.context.viewer.scene.camera.center = (y, x)
