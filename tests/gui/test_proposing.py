"""Proposing in a real window: budgets, weights, the guide, and regions that are no squares."""

from collections import Counter

import numpy as np
from tiny_data import write_pool

from napari_active_seg.acquisition import Proposal, RegionKind, ScoredRegion
from napari_active_seg.gui.layers.style import ring_of
from napari_active_seg.jobs import JobKind
from napari_active_seg.project import Project
from napari_active_seg.regions import Region, RegionShape, RegionState
from napari_active_seg.session.create_project import ImageSettings, create_project


def wedge(window, side=48):
    """Put a region into the queue of which the lower left half may be painted."""
    session = window.session
    image_id = session.state.open_regions[0].region.image_id
    mask = np.tri(side, dtype=bool)
    region = Region(image_id, 20, 30, side, side)
    scored = ScoredRegion(region, 1.0, 9.0, "a wedge", shape=RegionShape.of(mask))
    proposal = Proposal(9, (scored,), "entropy-polygons", 1, 0, None, "hash")
    (queued,) = session.project.regions.add_proposal(proposal)
    session.context.update(queue=session.project.regions.queue())
    session.select_region(queued.id)
    window.qtbot.wait(50)
    return queued, mask


def test_paint_outside_the_shape_of_a_region_is_taken_back(proposed):
    window = proposed
    queued, mask = wedge(window)
    window.drag((20 + 24, 30 + 2), (20 + 24, 30 + 46))  # across the slope
    painted = np.asarray(window.paint.data)
    assert (painted[24, 4:22] == 2).all()
    assert not painted[~mask].any()
    window.paint.undo()
    window.paint.redo()
    window.qtbot.wait(250)
    assert not np.asarray(window.paint.data)[~mask].any()
    window.dock.painter.fill_rest(0)
    assert ((np.asarray(window.paint.data) > 0) == mask).all()
    window.dock.painter.leave(RegionState.DONE)
    window.session.labels.flush()
    kept = window.session.labels.latest(queued.id)
    assert ((kept.target != 255) == mask).all()


def test_outline_of_a_shape_is_shown_and_not_its_rectangle(proposed):
    window = proposed
    wedge(window)
    corners = ring_of(window.session.state.region, 2.0)
    right_of_slope = (corners[:, 1] - 30) - (corners[:, 0] - 20)
    assert len(corners) >= 3
    assert right_of_slope.max() < 3
    drawn = np.asarray(window.layer("regions").data[0])
    apart = np.abs(drawn[:, None] - corners[None]).max(axis=2).min(axis=0)
    assert apart.max() <= 8  # every corner of the outline is one of the mesh, give or take a line


def test_budget_in_minutes_and_weights_are_asked_for_and_kept(proposed, pool):
    window = proposed
    window.finish_all(pool)
    window.click(window.panel("Train").go)
    window.settle()
    panel = window.panel("Propose")
    panel.unit.value, panel.amount.value, panel.size.value = "minutes", 1, 32
    panel.cost.value, panel.beta.value = "boundary", 0.5
    assert panel._anew_soon.isActive()
    window.click(panel.go)
    assert not panel._anew_soon.isActive()  # or regions just proposed would be chosen twice
    window.settle()
    window.panel("Propose")
    new = [q for q in window.session.state.queue if q.round == 2]
    assert len(new) > 1 and sum(q.cost for q in new) <= 60
    assert "To label: " in panel.said.text() and "a budget of 1 minutes" in panel.said.text()
    assert panel.plan.text().startswith("Labelled for an unbiased score: ")
    with Project.open(window.session.project.folder, read_only=True) as project:
        assert (project.config.acquisition.cost, project.config.acquisition.beta) == (
            "boundary",
            0.5,
        )


def test_guide_says_what_suits_and_chooses_it(proposed, pool):
    window = proposed
    panel = window.panel("Propose")
    assert not panel.which.isEnabled()  # there is no model to look with
    window.finish_all(pool)
    window.click(window.panel("Train").go)
    window.settle()
    window.panel("Propose").size.value = 24
    window.session.maintenance.configure(region_size=24)
    window.click(panel.which)
    window.settle()
    assert panel.said.text().startswith("The pool is ")
    assert f"Use {panel.strategy.value}" in panel.said.text()


def test_control_squares_are_marked_in_the_queue(proposed, pool):
    window = proposed
    window.finish_all(pool)
    window.click(window.panel("Train").go)
    window.settle()
    window.session.proposals.propose(count=4, size=24, control=0.5, wait=False)
    window.settle()
    rows = [tip for _, tip in window.in_strip()]
    controls = [q for q in window.session.state.queue if q.kind is RegionKind.CONTROL]
    assert len(controls) == 2
    assert sum("(control)" in row for row in rows) == 2


def test_strategy_brings_its_measure_and_size(window, project_folder):
    window.open(project_folder)
    panel = window.panel("Propose")
    panel.strategy.value = "faithful-regions"
    assert panel.size.value == 150
    panel.strategy.value = "entropy-images"
    assert panel.measure.value == "entropy"
    assert panel.control.value == 0
    assert panel.per_image_share.value == 0
    panel.strategy.value = "uncertain-regions"
    assert panel.per_image_share.value == 0.25


def test_share_of_a_round_from_one_image_is_asked_for_and_kept(proposed, pool):
    window = proposed
    window.finish_all(pool)
    window.session.train(preset="fast", epochs=5, wait=False)
    window.settle()
    panel = window.panel("Propose")
    assert panel.per_image_share.label == "At most from one image"
    panel.control.value = 0
    panel.size.value, panel.amount.value = 24, 6
    panel.per_image_share.value = 0.35
    panel._anew_soon.stop()
    with Project.open(window.session.project.folder, read_only=True) as project:
        assert project.config.acquisition.per_image_share == 0.35
    window.click(panel.go)
    window.settle()
    new = Counter(q.region.image_id for q in window.session.state.queue if q.round == 2)
    assert sum(new.values()) == 6 and max(new.values()) == 2


def visible_tab(window):
    return window.dock.tabs.tabText(window.dock.tabs.currentIndex())


def test_annotate_comes_to_the_front_once_regions_are_there(window, project_folder):
    window.open(project_folder)
    panel = window.panel("Propose")
    panel.size.value, panel.amount.value = 32, 4
    assert not panel.label.isEnabled() and panel.label.text() == "Start labelling"
    window.click(panel.go)
    window.settle()
    assert visible_tab(window) == "Annotate"
    assert window.session.state.region is not None
    window.panel("Propose")
    window.session.proposals.propose(
        count=1, size=32, wait=False
    )  # as a script may: nothing else brings it to the front
    window.settle()
    assert visible_tab(window) == "Propose"


def test_who_has_left_the_tab_or_paints_is_left_in_peace(proposed, pool):
    window = proposed
    window.finish_all(pool)
    window.session.train(preset="fast", epochs=5, wait=False)
    window.settle()
    panel = window.panel("Propose")
    panel.size.value, panel.amount.value = 24, 4
    window.click(panel.go)
    window.panel("Trust")
    window.settle()
    assert visible_tab(window) == "Trust"
    region = window.session.state.region.region
    window.drag((region.y + 8, region.x + 8), (region.y + 8, region.x + 16))
    window.qtbot.waitUntil(
        lambda: window.session.state.region.state is RegionState.IN_PROGRESS, timeout=10_000
    )
    window.panel("Propose")
    window.click(panel.go)
    window.settle()
    assert visible_tab(window) == "Propose"


def test_proposal_that_fails_opens_no_tab_later(proposed, pool):
    window = proposed
    panel = window.panel("Propose")
    panel.size.value = 2048
    window.click(panel.go)
    window.settle()
    assert visible_tab(window) == "Propose"
    window.session.proposals.propose(count=2, size=32, wait=False)  # as a script may
    window.settle()
    assert visible_tab(window) == "Propose"


def test_first_regions_can_be_labelled_while_the_rest_is_predicted(window, tmp_path, preferences):
    pool = write_pool(tmp_path / "many", 12, shape=(192, 192))
    folder = create_project(
        tmp_path / "large",
        images_dir=pool / "images",
        classes=("background", "disk"),
        settings=ImageSettings(val_fraction=0.0),
    ).folder
    window.open(folder)
    session = window.session
    session.maintenance.configure(unpainted="unlabelled", control=0.0)
    session.proposals.propose(count=4, size=32, wait=False)
    window.settle()
    window.finish_all(pool)
    session.train(preset="fast", epochs=5, wait=False)
    window.settle()
    panel = window.panel("Propose")
    panel.size.value, panel.amount.value = 32, 6
    texts = []
    session.progressed.connect(lambda progress: texts.append(progress.text))
    window.click(panel.go)
    window.qtbot.waitUntil(lambda: visible_tab(window) == "Annotate", timeout=60_000)
    assert JobKind.PROPOSE in session.state.jobs  # the other images are being predicted
    assert len(session.state.predicted) < 12
    mine = session.state.region
    assert mine.round == 2
    at = mine.region
    window.drag((at.y + 8, at.x + 8), (at.y + 8, at.x + 24))
    assert np.asarray(window.paint.data).any()
    window.settle()
    latest = [q for q in session.state.queue if q.round == 2]
    assert len(latest) == 6 and mine.id in {q.id for q in latest}
    assert session.state.region.id == mine.id
    assert np.asarray(window.paint.data).any()  # nothing of what was painted is gone
    assert any(text.startswith("Predicting image ") and "left" in text for text in texts)
