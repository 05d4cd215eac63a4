"""Proposing in a real window: budgets, weights, the guide, and regions that are no squares."""

import numpy as np

from napari_active_seg.acquisition import Proposal, RegionKind, ScoredRegion
from napari_active_seg.gui.layer_look import ring_of
from napari_active_seg.project import Project
from napari_active_seg.regions import Region, RegionShape, RegionState


def wedge(window, side=48):
    """Put a region into the queue of which the lower left half may be painted."""
    session = window.session
    image_id = session.state.open_regions[0].region.image_id
    mask = np.tri(side, dtype=bool)
    region = Region(image_id, 20, 30, side, side)
    scored = ScoredRegion(region, 1.0, 9.0, "a wedge", shape=RegionShape.of(mask))
    proposal = Proposal(9, (scored,), "entropy-polygons", 1, 0, None, "hash")
    (queued,) = session.project.regions.add_proposal(proposal)
    session._set(queue=session.project.regions.queue())
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
    new = [q for q in window.session.state.queue if q.round == 2]
    assert len(new) > 1 and sum(q.cost for q in new) <= 60
    assert "To label: " in panel.said.text() and "a budget of 1 minutes" in panel.said.text()
    assert panel.plan.text().startswith("Control squares: ")
    with Project.open(window.session.project.folder, read_only=True) as project:
        assert (project.config.cost, project.config.beta) == ("boundary", 0.5)


def test_guide_says_what_suits_and_chooses_it(proposed, pool):
    window = proposed
    panel = window.panel("Propose")
    assert not panel.which.isEnabled()  # there is no model to look with
    window.finish_all(pool)
    window.click(window.panel("Train").go)
    window.settle()
    window.panel("Propose").size.value = 24
    window.session.upkeep.configure(region_size=24)
    window.click(panel.which)
    window.settle()
    assert panel.said.text().startswith("The pool is ")
    assert f"Use {panel.strategy.value}" in panel.said.text()


def test_control_squares_are_marked_in_the_queue(proposed, pool):
    window = proposed
    window.finish_all(pool)
    window.click(window.panel("Train").go)
    window.settle()
    window.session.propose(count=4, size=24, control=0.5)
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
