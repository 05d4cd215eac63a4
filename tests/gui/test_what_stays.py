"""What stays on the screen, and what must not: other projects, other times, moving buttons."""

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import QAbstractButton

from napari_active_seg.errors import ProjectError
from napari_active_seg.gui.panels import import_box
from napari_active_seg.session.create_project import create_project

#: The first training of a process loads much of torch.
LONG = 240_000


@pytest.fixture
def plain(tmp_path, pool):
    """A second project, without regions or models."""
    return create_project(
        tmp_path / "plain", images_dir=pool / "images", classes=["background", "disk"]
    ).folder


# --- other projects ------------------------------------------------------------------------------


def test_curves_and_scores_go_with_their_project(proposed, pool, plain):
    window = proposed
    window.finish_all(pool)
    train = window.panel("Train")
    window.click(train.go)
    window.settle(LONG)
    window.qtbot.waitUntil(lambda: train.loss.height() > 50, timeout=30_000)
    trust = window.panel("Trust")
    window.qtbot.waitUntil(lambda: trust.diagram.height() > 50, timeout=30_000)
    assert train.live.losses and trust.scores.rowCount()
    window.open(plain)
    train = window.panel("Train")
    assert train.loss.height() <= 1 and not train.live.losses
    assert train.models.rowCount() == 0 and not train.verdict.text()
    trust = window.panel("Trust")
    assert trust.diagram.height() <= 1
    assert trust.scores.rowCount() == 0 and trust.about.text() == "No model yet"


def test_each_project_remembers_budget_and_size(proposed, plain):
    window = proposed
    first = window.session.project.folder
    panel = window.panel("Propose")
    panel.unit.value, panel.amount.value, panel.size.value = "minutes", 15, 48
    window.open(plain)
    panel = window.panel("Propose")
    suggested = window.session.project.config.region_size
    assert suggested != 48
    assert (panel.unit.value, panel.amount.value, panel.size.value) == ("regions", 8, suggested)
    panel.amount.value, panel.size.value = 5, 32
    assert window.session.project.config.regions_per_round == 5
    window.open(first)
    panel = window.panel("Propose")
    assert (panel.unit.value, panel.amount.value, panel.size.value) == ("minutes", 15, 48)
    assert window.session.project.config.region_size == 48
    window.open(plain)
    panel = window.panel("Propose")
    assert (panel.unit.value, panel.amount.value, panel.size.value) == ("regions", 5, 32)


def test_each_project_remembers_its_strategy(proposed, plain):
    window = proposed
    first = window.session.project.folder
    panel = window.panel("Propose")
    usual = panel.strategy.value
    panel.strategy.value = "random-regions"
    assert window.session.project.config.acquisition.strategy == "random-regions"
    window.open(plain)
    assert window.panel("Propose").strategy.value == usual != "random-regions"
    assert window.session.project.config.acquisition.strategy == usual
    window.open(first)
    assert window.panel("Propose").strategy.value == "random-regions"


def test_network_and_init_are_kept_with_the_project(proposed, plain):
    window = proposed
    first = window.session.project.folder
    panel = window.panel("Train")
    panel.preset.value = "deeplabv3plus"
    panel.init.value = "scratch"
    config = window.session.project.config
    assert (config.preset, config.training.init) == ("deeplabv3plus", "scratch")
    window.open(plain)
    panel = window.panel("Train")
    assert (panel.preset.value, panel.init.value) == ("fast", "current")
    window.open(first)
    panel = window.panel("Train")
    assert (panel.preset.value, panel.init.value) == ("deeplabv3plus", "scratch")


# --- errors --------------------------------------------------------------------------------------


def stroke(window, row=8):
    region = window.session.state.region.region
    window.drag((region.y + row, region.x + 6), (region.y + row, region.x + 24))


def test_an_error_goes_when_the_same_action_succeeds(proposed):
    window = proposed
    window.key(Qt.Key.Key_K)  # snap to edges, with nothing painted
    assert window.dock.message.isVisible()
    window.key(Qt.Key.Key_2, Qt.KeyboardModifier.AltModifier)  # another action that succeeds
    stroke(window)
    assert window.dock.message.isVisible()
    window.key(Qt.Key.Key_K)
    assert not window.dock.message.isVisible()


def test_an_error_goes_when_another_project_is_opened(proposed, plain):
    window = proposed
    window.key(Qt.Key.Key_K)
    assert window.dock.message.isVisible()
    window.open(plain)
    assert not window.dock.message.isVisible()


def test_an_error_of_a_job_goes_when_the_job_succeeds(proposed, pool, monkeypatch):
    window = proposed
    window.finish_all(pool)
    panel = window.panel("Train")
    with monkeypatch.context() as broken:
        broken.setattr(
            "napari_active_seg.session.training.service.train_model",
            lambda *_, **__: (_ for _ in ()).throw(
                ProjectError("the disk is full; free some space")
            ),
        )
        window.click(panel.go)
        window.settle()
    assert "disk is full" in window.dock.message.text.text()
    window.session.proposals.propose(count=2, size=32, wait=False)  # another job
    window.settle()
    assert window.dock.message.isVisible()
    window.click(window.panel("Train").go)
    window.settle(LONG)
    assert not window.dock.message.isVisible()


def test_an_error_of_saving_goes_when_the_strokes_are_saved(proposed, monkeypatch):
    window = proposed

    def refuse(*_, **__):
        raise ProjectError("the disk is full; free some space")

    with monkeypatch.context() as full:
        full.setattr(window.session.project.labels, "save", refuse)
        stroke(window)
        window.qtbot.waitUntil(lambda: window.dock.message.isVisible(), timeout=10_000)
        window.session.select_image(window.session.state.image_id)
        assert window.dock.message.isVisible()
    stroke(window, row=16)
    window.qtbot.waitUntil(lambda: not window.session.state.unsaved, timeout=20_000)
    window.qtbot.waitUntil(lambda: not window.dock.message.isVisible(), timeout=5000)


# --- missing images ------------------------------------------------------------------------------


def test_an_image_renamed_meanwhile_is_found_again_from_the_message(
    window, project_folder, pool, monkeypatch
):
    window.open(project_folder)
    state = window.session.state
    other = next(i for i in state.image_ids if i != state.image_id)
    renamed = pool / "images" / "renamed.png"
    (pool / "images" / other).rename(renamed)
    window.session.select_image(other)
    message = window.dock.message
    window.qtbot.waitUntil(lambda: bool(message.remedies), timeout=10_000)
    assert "is missing" in message.text.text() and "relink" not in message.text.text()
    assert window.session.state.missing == {other}
    monkeypatch.setattr(import_box, "ask_folder", lambda *_: pool / "images")
    window.click(message.remedies[0])
    window.settle()
    assert window.session.state.missing == frozenset()
    assert window.layer("image").visible and window.layer("image").name == other


def test_the_project_tab_notices_missing_images_when_it_is_shown(window, project_folder, pool):
    window.open(project_folder)
    window.panel("Annotate")
    (pool / "images" / window.session.state.image_ids[1]).unlink()
    box = window.panel("Project").care_box
    window.qtbot.waitUntil(lambda: box.relink.isVisible(), timeout=10_000)
    assert "1 images are not where they were" in box.missing.text()


# --- time ----------------------------------------------------------------------------------------


def test_time_of_a_region_goes_on_from_what_is_saved(proposed):
    window = proposed
    clock = [100.0]
    meter = window.dock.painter.meter
    meter._clock = lambda: clock[0]
    meter.start()
    panel = window.panel("Annotate")
    first = window.session.state.region_id

    def shown():
        panel._show_time()
        return panel.progress.text()

    def work(seconds):
        clock[0] += seconds
        meter.touched()

    work(5)
    stroke(window)
    work(2)
    window.dock.painter.save()
    assert shown().endswith("; 7 s")
    work(3)
    assert shown().endswith("; 10 s")
    window.dock.annotate.next()
    assert shown().endswith("; 0 s")
    window.session.select_region(first)
    assert shown().endswith("; 10 s")


# --- the layout ----------------------------------------------------------------------------------


def test_no_button_moves_from_region_to_region_or_under_an_error(proposed):
    """Reasons of any length, images of any name and errors leave every button where it is."""
    from dataclasses import replace

    window = proposed
    panel = window.panel("Annotate")
    buttons = [*panel.answers.values(), panel.back, panel.next, panel.reopen, panel.tools.draft]

    def places():
        window.qtbot.wait(30)
        return [button.mapToGlobal(QPoint(0, 0)) for button in buttons]

    window.click(panel.next)  # the tab has been laid out with the classes by then
    first = places()
    reasons = ["", "short", "a long reason " * 12]
    session = window.session
    for number, queued in enumerate(session.state.open_regions):
        reason = reasons[number % 3]
        queue = tuple(
            replace(q, reason=reason) if q.id == queued.id else q for q in session.state.queue
        )
        session.context.update(queue=queue)
        session.select_region(queued.id)
        window.drawn()
        assert reason.strip() in panel.about.toolTip()
        assert places() == first
    window.key(Qt.Key.Key_K)  # snap to edges: nothing is painted
    assert window.dock.message.isVisible()
    assert places() == first
    window.click(window.dock.message.away)
    assert places() == first
    window.session.proposals.propose(
        count=1, size=32, wait=False
    )  # the status line says more meanwhile
    assert places() == first
    window.settle()


# --- what can be pressed -------------------------------------------------------------------------


def test_back_and_next_are_enabled_where_they_lead_somewhere(window, project_folder):
    window.open(project_folder)
    panel = window.panel("Annotate")
    assert not panel.back.isEnabled() and not panel.next.isEnabled()
    window.session.proposals.propose(count=2, size=32, wait=False)
    window.settle()
    assert panel.next.isEnabled() and not panel.back.isEnabled()
    window.click(panel.next)
    assert panel.back.isEnabled()
    window.click(panel.back)
    assert not panel.back.isEnabled() and panel.next.isEnabled()
    window.key(Qt.Key.Key_S)
    window.key(Qt.Key.Key_S)
    window.qtbot.waitUntil(lambda: not window.session.state.unsaved, timeout=10_000)
    assert not panel.next.isEnabled()
    assert "Nothing else waits" in panel.next.toolTip()


def disabled_without_reason(window):
    """Return the buttons of all tabs that are disabled and do not say why."""
    found = []
    for title in ("Project", "Propose", "Annotate", "Train", "Trust", "Export"):
        panel = window.panel(title)
        window.qtbot.wait(20)
        for made in panel.findChildren(QAbstractButton):
            if made.isVisible() and made.text() and not made.isEnabled():
                words = made.toolTip().split()
                keys = made.toolTip().startswith(("Shift", "Alt", "Ctrl"))
                if len(words) < 4 or keys or "--" in made.toolTip():
                    found.append((title, made.text(), made.toolTip()))
    return found


def test_every_disabled_button_says_why(window, project_folder, pool):
    assert disabled_without_reason(window) == []
    assert window.panel("Train").go.toolTip().startswith("No project is open")
    window.open(project_folder)
    assert disabled_without_reason(window) == []
    train = window.panel("Train")
    assert train.go.toolTip() == "No finished regions yet: finish a region first"
    assert not window.dock.stop.isEnabled() and window.dock.stop.toolTip()
    window.session.proposals.propose(count=2, size=32, wait=False)
    window.settle()
    assert disabled_without_reason(window) == []
    window.finish_all(pool)
    train = window.panel("Train")
    assert train.go.isEnabled() and "No finished" not in train.go.toolTip()
    window.dock.context.close()
    assert disabled_without_reason(window) == []


def test_a_read_only_project_says_so_on_every_disabled_button(queue_folder, window):
    from test_import_box import answer

    from napari_active_seg.project import Project

    holder = Project.open(queue_folder)
    answer(button="Open read-only")
    window.open(queue_folder)
    assert disabled_without_reason(window) == []
    assert window.panel("Propose").go.toolTip() == "The project is open read-only"
    holder.close()


@pytest.fixture
def queue_folder(project_folder):
    """A project with two regions that nobody holds."""
    from fakes import FakeSegmenters

    from napari_active_seg.jobs import InlineRunner
    from napari_active_seg.project import Project
    from napari_active_seg.session import Session

    session = Session(Project.open(project_folder), FakeSegmenters(), InlineRunner())
    session.proposals.propose(count=2, size=32, wait=False)
    session.close()
    return project_folder


def test_paint_is_seen_again_after_coming_back(proposed):
    window = proposed
    first = window.session.state.region_id
    stroke(window)
    painted = np.asarray(window.paint.data).copy()
    window.click(window.panel("Annotate").next)
    window.click(window.panel("Annotate").back)
    assert window.session.state.region_id == first
    np.testing.assert_array_equal(window.paint.data, painted)
