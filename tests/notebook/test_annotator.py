import asyncio
import io
import threading

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("anywidget")
from napari_active_seg.notebook import annotate
from napari_active_seg.regions import UNLABELLED, RegionState


@pytest.fixture
def widget(session):
    session.proposals.propose(count=3, size=24)
    made = annotate(session)
    yield made
    made.close()


def painted(widget):
    facts = widget.facts
    return np.frombuffer(widget.paint, np.uint8).reshape(facts["height"], facts["width"])


def stored(session, region_id):
    return session.project.labels.latest(region_id).target


def test_it_shows_the_region_in_hand_with_what_is_around_it(widget, session):
    queued = session.state.region
    facts = widget.facts
    assert facts["region"] == queued.id and facts["reason"] == queued.reason
    around = np.array(Image.open(io.BytesIO(widget.picture)))
    assert around.shape[:2] == (facts["rows"], facts["columns"])
    whole = session.read_image(queued.region.image_id)
    inside = around[facts["top"] :, facts["left"] :][:24, :24]
    assert (inside == whole[queued.region.slices]).all()
    assert (painted(widget) == UNLABELLED).all()


def test_a_stroke_is_on_the_disk_with_its_effort_when_the_browser_hears_of_it(widget, session):
    region = session.state.region_id
    widget.answer({"kind": "stroke", "points": [[5, 5], [5, 15]], "radius": 2, "value": 1})
    assert (painted(widget) == stored(session, region)).all()
    assert painted(widget)[5, 10] == 1 and painted(widget)[12, 10] == UNLABELLED
    assert session.state.region.state is RegionState.IN_PROGRESS
    effort = session.labels.history(region)[-1].effort
    assert effort.strokes == 1 and effort.changed_px == (painted(widget) == 1).sum()
    assert effort.begun == "empty"


def test_strokes_are_taken_back_and_brought_back(widget, session):
    region = session.state.region_id
    widget.answer({"kind": "stroke", "points": [[5, 5]], "radius": 3, "value": 1})
    first = painted(widget)
    widget.answer({"kind": "stroke", "points": [[5, 5]], "radius": 2, "value": UNLABELLED})
    assert painted(widget)[5, 5] == UNLABELLED
    widget.answer({"kind": "undo"})
    assert (painted(widget) == first).all() and (stored(session, region) == first).all()
    assert widget.facts["canRedo"]
    widget.answer({"kind": "redo"})
    assert painted(widget)[5, 5] == UNLABELLED and not widget.facts["canRedo"]
    assert session.labels.history(region)[-1].effort.undos == 1


def test_polygon_fill_and_rest(widget, session):
    corners = [[2, 2], [2, 10], [10, 10], [10, 2]]
    widget.answer({"kind": "polygon", "points": corners, "value": 1})
    assert (painted(widget)[2:10, 2:10] == 1).all()
    assert (painted(widget) == 1).sum() == 64
    widget.answer({"kind": "rest", "value": 0})
    assert set(np.unique(painted(widget))) == {0, 1} and (painted(widget) == 1).sum() == 64
    widget.answer({"kind": "fill", "points": [[20, 20]], "value": 1})
    assert painted(widget)[20, 20] == 1


def test_done_goes_to_the_next_and_asks_once_what_unpainted_pixels_are(widget, session):
    first = session.state.region_id
    widget.answer({"kind": "stroke", "points": [[5, 5]], "radius": 3, "value": 1})
    widget.answer({"kind": "done"})
    assert widget.facts["question"] == ["background", "disk", "unlabelled"]
    assert session.project.regions.get(first).state is RegionState.IN_PROGRESS
    widget.answer({"kind": "unpainted", "as": "background"})
    assert session.project.regions.get(first).state is RegionState.DONE
    assert set(np.unique(stored(session, first))) == {0, 1}
    second = session.state.region_id
    assert second not in (first, None) and widget.facts["region"] == second
    assert (painted(widget) == UNLABELLED).all()
    widget.answer({"kind": "stroke", "points": [[5, 5]], "radius": 3, "value": 1})
    widget.answer({"kind": "done"})  # is not asked again
    widget.answer({"kind": "skip"})
    assert widget.facts.get("region") is None and widget.facts["waiting"] == 0
    assert sorted(q.state for q in session.state.proposed_regions) == ["done", "done", "skipped"]


def test_a_region_without_paint_is_done_where_the_rule_gives_a_class(widget, session):
    first = session.state.region_id
    widget.answer({"kind": "done"})
    assert widget.facts["question"] == ["background", "disk", "unlabelled"]
    widget.answer({"kind": "unpainted", "as": "unlabelled"})
    assert "nothing is painted" in widget.facts["message"]
    assert session.project.regions.get(first).state is RegionState.PROPOSED
    session.maintenance.configure(unpainted="background")
    widget.answer({"kind": "done"})
    assert (stored(session, first) == 0).all()
    assert session.project.regions.get(first).state is RegionState.DONE


def test_finished_region_is_reopened_before_it_is_painted_in(widget, session):
    first = session.state.region_id
    widget.answer({"kind": "stroke", "points": [[5, 5]], "radius": 30, "value": 1})
    widget.answer({"kind": "done"})
    widget.answer({"kind": "back"})
    assert widget.facts["region"] == first and widget.facts["finished"]
    widget.answer({"kind": "stroke", "points": [[5, 5]], "radius": 3, "value": 0})
    assert "reopen" in widget.facts["message"] and (painted(widget) == 1).all()
    widget.answer({"kind": "reopen"})
    widget.answer({"kind": "stroke", "points": [[5, 5]], "radius": 3, "value": 0})
    assert painted(widget)[5, 5] == 0


def test_the_model_shows_and_its_prediction_is_a_draft(widget, session, pool):
    assert widget.heat == b"" and widget.predicted == b""
    session.labels.answer_from_masks(pool / "masks")
    session.train()
    session.predict()
    session.proposals.propose(count=1, size=24, control=0.0)
    queued = session.state.region
    said = session.prediction(queued.region.image_id).crop_classes(queued.region)
    assert widget.predicted == said.tobytes() and widget.heat[:4] == b"\x89PNG"
    widget.answer({"kind": "draft"})
    assert (painted(widget) == said).all()
    assert session.labels.history(queued.id)[-1].effort.begun == "prediction"


def test_blind_annotator_sees_nothing_of_the_model(widget, session, pool):
    session.labels.answer_from_masks(pool / "masks")
    session.train()
    session.predict()
    session.maintenance.configure(blind=True)
    session.proposals.propose(count=1, size=24)
    assert widget.heat == b"" and widget.predicted == b"" and widget.facts["reason"] == ""


def test_paint_of_a_region_with_a_shape_stays_inside(session, pool):
    session.proposals.propose(count=2, size=24)
    session.labels.answer_from_masks(pool / "masks")
    session.train()
    session.predict()
    session.proposals.propose(count=1, unit="superpixels", size=24)
    shaped = [q for q in session.state.open_regions if q.shape is not None]
    assert shaped
    session.select_region(shaped[0].id)
    widget = annotate(session)
    inside = shaped[0].shape.mask
    assert widget.inside == inside.astype(np.uint8).tobytes()
    widget.answer({"kind": "rest", "value": 1})
    assert ((painted(widget) == 1) == inside).all()
    widget.close()


def test_rubbish_from_a_browser_is_refused_in_words(widget):
    for content in (
        {"kind": "burn"},
        {"kind": "stroke", "points": [[1, 1]], "radius": 1, "value": 9},
    ):
        widget.answer(content)
        assert widget.facts["message"]
    assert (painted(widget) == UNLABELLED).all()


def test_another_class_shows_at_once_and_closing_lets_go(widget, session):
    session.maintenance.add_class("lumen")
    assert [one["name"] for one in widget.facts["classes"]] == ["background", "disk", "lumen"]
    widget.close()
    session.maintenance.rename_class("lumen", "hole")
    assert widget.facts["classes"][-1]["name"] == "lumen"


def test_messages_of_another_thread_are_answered_where_the_session_lives(session):
    async def kernel():
        session.proposals.propose(count=2, size=24)
        widget = annotate(session)
        first = session.state.region_id
        heard = threading.Thread(target=widget._on_message, args=(widget, {"kind": "skip"}, None))
        heard.start()
        heard.join()
        assert session.state.region_id == first  # not yet: the loop has not come round
        await asyncio.sleep(0.05)
        assert session.state.region_id != first and widget.facts["answered"] == 1
        widget.close()

    asyncio.run(kernel())
