import base64
import re

import numpy as np
import pytest
from IPython.core.formatters import HTMLFormatter

from napari_active_seg.notebook.ipython import register_html_reprs


def shown(value):
    """Return what a cell shows of a value, by IPython's own way."""
    formatter = HTMLFormatter()
    register_html_reprs(formatter)
    return formatter(value)


def pictures(cell):
    return [base64.b64decode(data) for data in re.findall(r"base64,([^\"]+)\"", cell)]


@pytest.fixture
def lap(session, pool):
    session.proposals.propose(count=3, size=24)
    session.labels.answer_from_masks(pool / "masks")
    session.train()
    session.predict()
    return session


def test_project_shows_its_images_with_what_is_labelled(session, pool):
    before = shown(session.project)
    assert "none yet" in before and "background, disk" in before
    assert len(pictures(before)) == len(session.project.images.all("pool"))
    session.proposals.propose(count=3, size=24)
    session.labels.answer_from_masks(pool / "masks")
    after = shown(session.project)
    assert "1 done" in before and "4 done" in after  # the validation image came with its labels
    assert pictures(before) != pictures(after)  # paint lies over the pixels


def test_session_shows_the_regions_of_its_round_with_their_reasons(lap):
    lap.proposals.propose(count=2, size=24)
    cell = shown(lap)
    latest = [q for q in lap.state.queue if q.round == lap.state.round]
    assert len(pictures(cell)) == len(latest)
    assert "m001" in cell and "waiting" in cell
    assert f"y {latest[0].region.y}, x {latest[0].region.x}" in cell


def test_blind_session_shows_no_uncertainty(lap):
    lap.proposals.propose(count=1, size=24)
    seen = pictures(shown(lap))
    lap.maintenance.configure(blind=True)
    assert pictures(shown(lap)) != seen


def test_proposal_is_a_table_with_gain_against_cost(lap):
    lap.proposals.propose(count=2, size=24, control=0.0)
    proposal = lap.proposals.latest
    cell = shown(proposal)
    for scored in proposal.regions:
        assert f"<td>{scored.region.image_id}</td>" in cell
        assert f"{scored.cost:.3f}" in cell
    assert len(pictures(cell)) == 1


def test_report_and_prediction_show_figures(lap):
    found = lap.evaluate()
    cell = shown(found)
    assert f"{found.figures()['mean_dice']:.3f}" in cell and "Reliability" in cell
    said = shown(lap.prediction("img0.png"))
    assert len(pictures(said)) == 3 and "bald" in said.lower()
    share = np.mean(lap.prediction("img0.png").classes == 1)
    assert f"1 on {share:.1%}" in said


def test_empty_report_says_so():
    from napari_active_seg.metrics import EvalReport

    assert "nothing was measured" in shown(EvalReport.empty(("a", "b")))


def test_where_pictures_cannot_be_drawn_there_are_plain_words(monkeypatch, lap):
    monkeypatch.setitem(__import__("sys").modules, "napari_active_seg.notebook.html_reprs", None)
    assert shown(lap.project) is None


def test_missing_image_is_named_and_the_rest_is_shown(session, pool):
    gone = session.project.images.all("pool")[0].id
    (pool / "images" / gone).unlink()
    cell = shown(session.project)
    assert gone in cell
    assert len(pictures(cell)) == len(session.project.images.all("pool")) - 1
