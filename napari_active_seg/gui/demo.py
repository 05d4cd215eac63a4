"""The demo: a sample project in a real window, and one lap of the loop."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from napari_active_seg.errors import BadInputError
from napari_active_seg.figures import image_png
from napari_active_seg.gui.shell.backend import Backend
from napari_active_seg.gui.shell.dock import Dock
from napari_active_seg.gui.shell.preferences import PreferencesFile
from napari_active_seg.importers import MaskFolder
from napari_active_seg.regions import RegionState
from napari_active_seg.session import Session
from napari_active_seg.session.report import project_report

__all__ = ["run_demo"]

_START, _COUNT, _SIZE = 6, 6, 128
#: What napari calls the dock that its menu opens, so that the menu shows and hides this one.
_MENU_NAME = "Label and train (Active Segmentation)"
_TABS = ("Project", "Propose", "Annotate", "Train", "Trust", "Export")


class _Tell(Protocol):
    def __call__(self, done: int, total: int, text: str = "") -> None: ...


def run_demo(backend: Backend, out: Path, *, by_itself: bool, tell: _Tell) -> list[str]:
    """Run the demo and return what it left behind, a line each.

    ``by_itself`` drives the window through a lap and closes it; otherwise the window stays
    until the person closes it.
    """
    out = _free_name(out.resolve())
    began = time.perf_counter()
    steps = 10 if by_itself else 6
    told = 0

    def say(text: str) -> None:
        nonlocal told
        told += 1
        tell(min(told, steps), steps, text)

    def on_image(done: int, total: int) -> None:
        if done == total:
            say(f"drew {total} pictures of tissue with their true masks")

    folder = backend.write_sample_project("histology", out, on_image=on_image)
    _train_first_model(backend, folder, out / "masks", say)
    preferences = None
    if by_itself:  # pictures show no person's own settings
        preferences = PreferencesFile(out / "preferences.json")
        preferences.change(name="Demo")
    viewer, dock = _open_window(backend, preferences)
    try:
        dock.context.open(folder)
        session = dock.context.session
        if session is None:
            raise BadInputError(f"{folder} could not be opened")
        lap_began = time.perf_counter()
        _predict_and_propose(session, say)
        if not by_itself:
            say("the window is yours: paint, Shift+D when a region is done")
            _hand_over(viewer)
            return [f"the project is in {folder}"]
        return _lap(viewer, dock, session, out, say, began, lap_began)
    finally:
        if by_itself:
            dock.release()
            viewer.close()


def _free_name(out: Path) -> Path:
    """Return ``out``, or ``out-2`` and so on: a person may have painted in an earlier demo."""
    number, free = 1, out
    while free.exists() and any(free.iterdir()):
        number += 1
        free = out.with_name(f"{out.name}-{number}")
    return free


def _train_first_model(
    backend: Backend, folder: Path, masks: Path, say: Callable[[str], None]
) -> None:
    """Label a few regions and train, so that there is a model to ask."""
    session = backend.open_session(folder)
    try:
        session.proposals.propose(count=_START, size=_SIZE)
        say(f"took {_START} first regions that together look most like the pool")
        session.labels.answer_from_masks(masks)
        session.train()
        say(f"labelled them and trained a first model: {_score(session)}")
    finally:
        session.close()


def _open_window(backend: Backend, preferences: PreferencesFile | None) -> tuple[Any, Dock]:
    import napari

    viewer = napari.Viewer(title="napari-active-seg demo", show_welcome_screen=False)
    viewer.window.resize(1280, 720)
    dock = Dock(viewer, backend, preferences)
    viewer.window.add_dock_widget(dock, name=_MENU_NAME, area="right")
    return viewer, dock


def _hand_over(viewer: Any) -> None:
    import napari

    viewer.window.activate()
    napari.run()


def _predict_and_propose(session: Session, say: Callable[[str], None]) -> None:
    session.predict(wait=False)
    _finish_job(session)
    say(f"predicted {len(session.state.predicted)} images with their uncertainty")
    session.proposals.propose(count=_COUNT, size=_SIZE, wait=False)
    _finish_job(session)
    say(f"proposed the {_COUNT} most uncertain regions: {session.state.open_regions[0].reason}")


def _lap(
    viewer: Any,
    dock: Dock,
    session: Session,
    out: Path,
    say: Callable[[str], None],
    began: float,
    lap_began: float,
) -> list[str]:
    shots = _Screenshots(viewer, dock, out / "screenshots")
    before = _score(session)
    shots.take(
        "1-proposed", "Propose", "The model's outline, its uncertainty, the regions to label"
    )
    _show_placing(viewer, dock, session, shots)
    oracle = MaskFolder.from_folder(
        out / "masks", session.project.images.all(), n_classes=len(session.state.schema)
    )
    painted = _paint_all(dock, session, oracle, shots)
    say(f"a simulated annotator painted {painted} regions in the window")
    session.train(wait=False)
    _finish_job(session)
    say(f"trained again: {_score(session)}")
    session.predict(wait=False)
    _finish_job(session)
    lap_s = time.perf_counter() - lap_began
    say(f"predicted again ({before} before)")
    dock.tabs.setCurrentIndex(_TABS.index("Train"))
    shots.take("3-trained", "Train", "After one lap: the new model's outline and uncertainty")
    session.proposals.propose(
        count=_COUNT, size=_SIZE, wait=False
    )  # so that there is a queue to be seen
    _finish_job(session)
    for theme, suffix in (("dark", ""), ("light", "-light")):
        viewer.theme = theme
        for tab in _TABS:
            shots.take(f"tab-{tab.lower()}{suffix}", tab, f"The tab {tab} in the {theme} theme")
    viewer.theme = "dark"
    say("took screenshots")
    seconds = time.perf_counter() - began
    report = project_report(session)
    report.heading("The window")
    report.paragraph(f"Driven by a simulated annotator; the whole demo took {seconds:.0f} s.")
    for path, caption in shots.taken:
        report.picture(path.read_bytes(), caption, width=960)
    report.write(out / "report.html")
    say(f"wrote the report after {seconds:.0f} s")
    return [
        f"before the lap: {before}; after it: {_score(session)}",
        f"report:      {out / 'report.html'}",
        f"screenshots: {out / 'screenshots'}",
        f"project:     {session.project.folder} (napari-active-seg info shows it)",
        f"the lap, from predicting to predicting again: {lap_s:.0f} s",
        f"the whole demo, drawing and the first training included: {seconds:.0f} s",
    ]


def _show_placing(viewer: Any, dock: Dock, session: Session, shots: _Screenshots) -> None:
    """Take a picture of a region of one's own that is about to be placed; none is."""
    image_id = session.state.image_id
    if image_id is None:
        return
    height, width = session.project.images.ref(image_id).shape
    viewer.reset_view(margin=0.05)
    for y, x in ((height // 4, width // 4), (3 * height // 4, 3 * width // 4)):
        if session.manual.region_at(image_id, y, x) is None:
            viewer.cursor.position = (float(y), float(x))
            break
    dock.annotate.start_placing()
    shots.take("label-here", "Annotate", "A region of one's own, about to be placed by a click")
    dock.annotate.stop_placing()
    dock.annotate.zoom()


def _paint_all(dock: Dock, session: Session, oracle: MaskFolder, shots: _Screenshots) -> int:
    """Paint every waiting region through its layer, and press done."""
    dock.tabs.setCurrentIndex(_TABS.index("Annotate"))
    painted = 0
    while session.state.region is not None and session.state.open_regions:
        queued = session.state.region
        painter = dock.painter
        if painter is None:
            break
        painter.fill(oracle.read_target(queued.region))
        _process_events()
        if painted == 0:
            shots.take("2-painting", "Annotate", "A region selected, painted by the annotator")
            dock.show_keys()
            shots.take("keys", "Annotate", "The keys, shown at ?", whole_screen=True)
            dock.show_keys(False)
        dock.annotate.finish(RegionState.DONE)
        _process_events()
        painted += 1
    return painted


class _Screenshots:
    """Takes pictures of the whole window."""

    def __init__(self, viewer: Any, dock: Dock, folder: Path) -> None:
        self._viewer, self._dock, self._folder = viewer, dock, folder
        self.taken: list[tuple[Path, str]] = []
        folder.mkdir(parents=True, exist_ok=True)

    def take(self, name: str, tab: str, caption: str, *, whole_screen: bool = False) -> None:
        """Turn to ``tab`` and write the window to ``name``.png.

        What lies over the canvas is in a picture of the ``whole_screen`` alone.
        """
        self._dock.tabs.setCurrentIndex(_TABS.index(tab))
        for _ in range(5):
            _process_events()
            time.sleep(0.03)
        path = self._folder / f"{name}.png"
        if whole_screen:
            self._dock.window().grab().save(str(path))
        else:
            pixels = self._viewer.screenshot(canvas_only=False, flash=False)
            path.write_bytes(image_png(pixels[..., :3].copy()))
        self.taken.append((path, caption))


def _finish_job(session: Session) -> None:
    """Return when the session's job ended, the window staying alive meanwhile."""
    while session.state.job is not None:
        _process_events()
        time.sleep(0.005)
    session.wait()


def _process_events() -> None:
    from qtpy.QtWidgets import QApplication

    QApplication.processEvents()


def _score(session: Session) -> str:
    model = session.state.model
    dice = None if model is None else model.metrics.get("mean_dice")
    return "no score" if dice is None else f"mean Dice {dice:.3f} on the fixed validation"
