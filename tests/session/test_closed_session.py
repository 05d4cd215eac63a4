"""A session as a context manager, and what its verbs say once it is closed."""

import pytest
from fakes import FakeSegmenters

from napari_active_seg.errors import NothingToDoError, ProjectError
from napari_active_seg.jobs import InlineRunner
from napari_active_seg.project import Project
from napari_active_seg.session import Session


def open_session(folder):
    return Session(Project.open(folder), FakeSegmenters(), InlineRunner())


def test_it_closes_at_the_end_of_its_block(project_folder, pool):
    with open_session(project_folder) as session:
        session.proposals.propose(count=3, size=32)
        session.labels.answer_from_masks(pool / "masks")
        session.train(preset="fast")
    assert session.project.database.closed
    with open_session(project_folder) as again:  # nobody holds it any more
        assert again.state.model.id == "m001"
        again.close()  # twice does no harm


def test_the_end_of_the_block_raises_what_nobody_waited_for(project_folder):
    ended = pytest.raises(NothingToDoError, match="no region is done")
    with ended, open_session(project_folder) as session:
        session.train()
    assert session.project.database.closed


def test_an_error_in_the_block_is_not_replaced(project_folder):
    ended = pytest.raises(KeyError, match="mine")
    with ended, open_session(project_folder) as session:
        session.train(wait=False)  # it fails too
        raise KeyError("mine")
    assert session.project.database.closed


VERBS = {
    "propose": lambda s, t: s.proposals.propose(count=1, size=32),
    "train": lambda s, t: s.train(preset="fast"),
    "predict": lambda s, t: s.predict(),
    "predict_folder": lambda s, t: s.predictions.predict_folder(t / "data" / "images", t / "out"),
    "evaluate": lambda s, t: s.evaluate(),
    "export": lambda s, t: s.export("masks", t / "out"),
    "export_model": lambda s, t: s.predictions.export_model(t / "out"),
    "use_model": lambda s, t: s.use_model("m001"),
    "set_measure": lambda s, t: s.set_measure("bald"),
    "select_image": lambda s, t: s.select_image("img0.png"),
    "next_region": lambda s, t: s.next_region(),
    "answer": lambda s, t: s.labels.answer_from_masks(t / "data" / "masks"),
    "save": lambda s, t: s.labels.set_state(s.state.queue[0].id, s.state.queue[0].state),
    "configure": lambda s, t: s.maintenance.configure(measure="bald"),
    "calibrate": lambda s, t: s.trust.calibrate(),
    "add_region": lambda s, t: s.manual.add_region("img0.png", 0, 0, size=32),
    "free_memory": lambda s, t: s.free_memory(),
}


@pytest.mark.parametrize("verb", VERBS)
def test_verbs_of_a_closed_session_say_so(session, pool, tmp_path, verb):
    """Also the second time: what failed once was opened again, and wrote without the lock."""
    session.proposals.propose(count=3, size=32)
    session.labels.answer_from_masks(pool / "masks")
    session.train(preset="fast")
    session.close()
    for _ in range(2):
        with pytest.raises(ProjectError, match="is closed"):
            VERBS[verb](session, tmp_path)
    assert not (tmp_path / "out").exists()
