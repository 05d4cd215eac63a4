"""Export: labels for other tools, and the model in use over a whole folder."""

from __future__ import annotations

from magicgui.widgets import CheckBox, ComboBox, LineEdit, SpinBox

from napari_active_seg.errors import ConfigError
from napari_active_seg.export import ExportResult, exporter_titles
from napari_active_seg.gui.panels.base import (
    Panel,
    button,
    folder_edit,
    folder_of,
    form,
    group,
    text_label,
)
from napari_active_seg.gui.panels.reasons import allow
from napari_active_seg.gui.shell.notifications import notify
from napari_active_seg.regions import RegionState
from napari_active_seg.session import Session, ViewState
from napari_active_seg.session.export import ExportChoice
from napari_active_seg.session.prediction.folder import FolderResult

__all__ = ["ExportPanel"]

_CUTS = (("whole images", "images"), ("the regions alone", "regions"), ("tiles", "tiles"))
_EVERYBODY = "everybody"
#: So many files that could not be read are named in a message.
_SHOWN = 5


class ExportPanel(Panel):
    """The last tab."""

    title = "Export"

    def build(self) -> None:
        """Lay out what to write, where to, and the model over a folder."""
        titles = exporter_titles()
        self.format = ComboBox(label="format", choices=[(t, name) for name, t in titles.items()])
        self.cut = ComboBox(label="as", choices=list(_CUTS))
        self.tile = SpinBox(label="tile", value=512, min=16, max=8192, step=64)
        self.tile.tooltip = "Side of a tile in pixels; used for tiles only"
        self.tile.enabled = False
        self.cut.changed.connect(lambda cut: setattr(self.tile, "enabled", cut == "tiles"))
        self.states = ComboBox(
            label="labels", choices=[("finished regions", "done"), ("all that is saved", "all")]
        )
        self.annotator = ComboBox(label="by", choices=[_EVERYBODY])
        self.terms = LineEdit(label="terms")
        self.terms.tooltip = "Terms of use, for the card that goes with the labels"
        self.folder = folder_edit("to folder")
        self.overwrite = CheckBox(text="replace an earlier export", value=False)
        self.overwrite.tooltip = "A folder of anything else is set aside, never deleted"
        self.form = form(
            self.format,
            self.cut,
            self.tile,
            self.states,
            self.annotator,
            self.terms,
            self.folder,
            self.overwrite,
        )
        self.go = button("Export labels", self._export)
        self.hint = text_label()
        self.body.addWidget(group("Labels for other tools", self.form, self.hint, self.go))

        self.source = folder_edit("images in")
        self.target = folder_edit("to folder")
        self.apply = button(
            "Predict folder",
            self._predict,
            "The model in use, over every picture and slide below the folder",
        )
        self.write = button(
            "Write the model",
            self._write_model,
            "Checkpoint, ONNX and a script that uses it, into the folder",
        )
        self.apply_hint = text_label(
            "Masks, probability and uncertainty maps, objects, and tables of areas and shapes. "
            "Run again to resume."
        )
        self.body.addWidget(
            group(
                "The model in use",
                form(self.source, self.target),
                self.apply_hint,
                self.apply,
                self.write,
            )
        )

    def render_state(self, session: Session, view: ViewState) -> None:
        """Show how much there is to export, and whether there is a model to apply."""
        super().render_state(session, view)
        done = session.state.counts[RegionState.DONE]
        people = [_EVERYBODY, *session.labels.annotators()]
        if list(self.annotator.choices) != people:
            kept = self.annotator.value
            self.annotator.choices = people
            self.annotator.value = kept if kept in people else _EVERYBODY
        self.hint.setText(
            f"{done} finished regions. What is not labelled is said to be so, never background"
        )
        nothing = "" if session.state.queue else "There are no regions yet: propose some first"
        allow(self.go, nothing or view.why_not.start_job)
        for act in (self.apply, self.write):
            allow(act, view.why_not.use_model or view.why_not.start_job)

    def _export(self) -> None:
        session = self.context.session
        if session is None:
            return
        folder = folder_of(self.folder)
        person = None if self.annotator.value == _EVERYBODY else self.annotator.value
        choice = ExportChoice(
            cut=self.cut.value,
            tile=self.tile.value,
            states=self.states.value,
            annotator=person,
            terms=self.terms.value,
            overwrite=self.overwrite.value,
        )

        def show(done: ExportResult) -> None:
            notes = "".join(f"\n{note}" for note in done.notes)
            notify(f"{done.regions} regions of {done.images} images are in {folder}{notes}")

        def start() -> None:
            if folder is None:
                raise ConfigError("choose a new or empty folder to export to")
            future = session.export(self.format.value, folder, choice=choice, wait=False)
            self.context.when_done(future, show)

        self.context.run(start)

    def _predict(self) -> None:
        session = self.context.session
        if session is None:
            return
        source, target = folder_of(self.source), folder_of(self.target)

        def show(done: FolderResult) -> None:
            problems = "".join(f"\nleft out: {problem}" for problem in done.problems[:_SHOWN])
            if len(done.problems) > _SHOWN:
                problems += f"\nand {len(done.problems) - _SHOWN} more: images.csv has them all"
            notify(f"{done.images} images, {done.objects} objects are in {target}{problems}")

        def start() -> None:
            if source is None or target is None:
                raise ConfigError("choose a folder of images, and a new one to write to")
            future = session.predictions.predict_folder(source, target, wait=False)
            self.context.when_done(future, show)

        self.context.run(start)

    def _write_model(self) -> None:
        session = self.context.session
        if session is None:
            return
        target = folder_of(self.target)

        def start() -> None:
            if target is None:
                raise ConfigError("choose a new folder for the model")
            future = session.predictions.export_model(target, wait=False)
            self.context.when_done(future, lambda folder: notify(f"The model is in {folder}"))

        self.context.run(start)
