"""A class per image in addition to the mask: given, learned, merged, and ignored by masks."""

import csv
import re
import shutil

import numpy as np
import pytest
from tiny_lesions import write_lesions

from napari_active_seg.acquisition import RegionKind
from napari_active_seg.api import open_session
from napari_active_seg.errors import BadInputError, ConfigError, NothingToDoError
from napari_active_seg.images import scan_folder
from napari_active_seg.project import Project, assign_splits, merge_projects
from napari_active_seg.regions import LabelSchema, RegionState
from napari_active_seg.session.image_classes import task
from napari_active_seg.session.image_classes.table import read_image_classes


@pytest.fixture
def lesions(tmp_path):
    return tmp_path / "images", write_lesions(tmp_path / "images")


@pytest.fixture
def session(lesions, tmp_path):
    scan = scan_folder(lesions[0])
    Project.create(
        tmp_path / "p",
        schema=LabelSchema.from_names(["background", "lesion"]),
        images=scan.images,
        splits=assign_splits([i.id for i in scan.images], val_fraction=0.2, seed=0),
        images_dir=lesions[0],
    ).close()
    with_classes = open_session(tmp_path / "p", device="cpu")
    with_classes.image_classes.name("benign", "malignant")
    yield with_classes
    with_classes.close()


def answer_all(session, truth, seconds=0.0):
    for asked in session.state.open_questions:
        image_id = asked.region.image_id
        session.image_classes.say(image_id, truth[image_id], seconds=seconds)


def test_images_far_apart_are_asked_first_and_then_those_of_which_the_head_is_unsure(
    session, lesions
):
    service, truth = session.image_classes, lesions[1]
    service.ask(10)
    first = session.state.questions
    assert len(first) == 10 and all(q.kind is RegionKind.IMAGE_QUESTION for q in first)
    assert all(q.region.shape == (48, 64) for q in first)
    assert {truth[q.region.image_id] for q in first} == {"benign", "malignant"}
    assert "looks least like" in first[0].reason and service.opinion("i00.png") is None
    assert not {q.region.image_id for q in first} & session.state.validation_ids
    answer_all(session, truth)
    assert {q.state for q in session.state.questions} == {RegionState.DONE}
    service.ask(5, measure="entropy")
    second = session.state.open_questions
    assert len(second) == 5 and {q.round for q in second} == {2}
    assert not {q.region.image_id for q in second} & {q.region.image_id for q in first}
    pool = set(session.state.image_ids) - session.state.validation_ids
    entropy = {
        i: -sum(p * np.log(p) for p in said.values() if p > 0)
        for i in pool
        if (said := service.opinion(i))
    }
    rest = [i for i in pool if i not in {q.region.image_id for q in (*first, *second)}]
    assert second[0].information == pytest.approx(entropy[second[0].region.image_id], abs=1e-3)
    assert min(entropy[q.region.image_id] for q in second) >= max(entropy[i] for i in rest) - 1e-3
    assert re.search(r"benign [01]\.\d\d, malignant", second[0].reason)
    right = [max(service.opinion(i), key=service.opinion(i).get) == truth[i] for i in pool]
    assert np.mean(right) > 0.8
    assert service.summary.startswith("right on answers left out in turn: benign ")
    assert "AUC" in service.summary


def test_masks_know_nothing_of_questions(session, lesions):
    service = session.image_classes
    session.proposals.propose(count=3, size=16)
    regions = session.state.queue
    service.ask(4)
    state = session.state
    assert state.queue == regions and len(state.open_regions) == 3
    assert state.region is not None and state.question is None
    answer_all(session, lesions[1])
    assert session.state.done_in_pool == () and session.project.labels.done(state.image_ids) == ()
    with pytest.raises(NothingToDoError):
        session.train()


def test_next_goes_through_regions_and_then_questions_and_back(session, lesions):
    session.proposals.propose(count=2, size=16)
    session.image_classes.ask(2)
    first, second = (q.id for q in session.state.open_regions)
    one, other = (q.id for q in session.state.open_questions)
    session.select_region(first)
    session.next_region()
    assert session.state.region_id == second
    session.next_region()
    assert (session.state.region_id, session.state.question_id) == (None, one)
    assert session.state.image_id == session.state.question.region.image_id
    for answered in (first, second):
        session.labels.set_state(answered, RegionState.SKIPPED)
    session.image_classes.leave(one, RegionState.LATER)
    session.next_region()
    assert session.state.question_id == other
    session.image_classes.leave(other, RegionState.SKIPPED)
    session.navigation.back()
    assert session.state.question_id == one
    session.navigation.back()
    assert (session.state.region_id, session.state.question_id) == (second, None)
    states = [q.state for q in session.state.questions]
    assert states == [RegionState.LATER, RegionState.SKIPPED]


def test_answers_are_history_cost_and_not_asked_twice(session, lesions):
    service = session.image_classes
    assert service.seconds_of_an_answer() == 5
    for number, seconds in enumerate((2.0, 4.0, 9.0)):
        service.say(f"i{number:02}.png", "benign", seconds=seconds)
    service.say("i00.png", "malignant", seconds=3.0)
    assert service.answers()["i00.png"].name == "malignant" and service.seconds_of_an_answer() == 4
    history = session.project.image_answers.history("i00.png")
    assert [a.name for a in history] == ["benign", "malignant"]
    service.say("i03.png", None)
    assert service.answers()["i03.png"].name is None
    service.ask("1min")
    asked = [q.region.image_id for q in session.state.questions]
    assert len(asked) == 15 and not {"i00.png", "i01.png", "i02.png", "i03.png"} & set(asked)
    assert all(q.cost == 4 for q in session.state.questions)
    service.ask(100)
    free = set(session.state.image_ids) - session.state.validation_ids - service.answers().keys()
    assert {q.region.image_id for q in session.state.questions} == free
    service.ask(1)
    assert service.summary.endswith("no image is left to ask about")
    question = session.state.questions[0]
    with pytest.raises(NothingToDoError, match="benign, malignant"):
        service.leave(question.id, RegionState.DONE)
    service.leave(question.id, RegionState.CANT_TELL)
    assert session.state.questions[0].state is RegionState.CANT_TELL
    assert service.answers()[question.region.image_id].name is None


def test_what_cannot_be_is_refused(session):
    service = session.image_classes
    with pytest.raises(ConfigError, match="malignant"):
        service.say("i00.png", "malign")
    with pytest.raises(BadInputError):
        service.say("nobody", "benign")
    with pytest.raises(ConfigError, match="by number or minutes"):
        service.ask("500px")
    for bad in (["one"], ["a", "a"], ["a", ""], [str(k) for k in range(10)]):
        with pytest.raises(ConfigError, match="image_classes"):
            service.name(*bad)
    service.name()
    with pytest.raises(NothingToDoError, match="say first"):
        service.ask()
    session.project.configure(image_classes="nevus, melanoma , other")
    assert service.classes == ("nevus", "melanoma", "other")


def test_answers_and_questions_outlive_the_session_and_a_merge(session, lesions, tmp_path):
    session.image_classes.ask(3)
    ids = [q.region.image_id for q in session.state.questions]
    session.image_classes.say(ids[0], "benign")
    session.close()
    shutil.copytree(tmp_path / "p", tmp_path / "theirs")
    with Project.open(tmp_path / "theirs") as theirs:
        theirs.configure(annotator="Ben")
    other = open_session(tmp_path / "theirs", device="cpu")
    other.image_classes.say(ids[1], "malignant")
    other.close()
    with (
        Project.open(tmp_path / "p") as ours,
        Project.open(tmp_path / "theirs", read_only=True) as theirs,
    ):
        merge_projects(ours, theirs)
        said = ours.image_answers.latest()
        assert {i: said[i].name for i in ids[:2]} == {ids[0]: "benign", ids[1]: "malignant"}
        assert said[ids[1]].annotator == "Ben"
        assert len(ours.regions.questions()) == 3
        assert ours.regions.questions()[1].state is RegionState.DONE


def train_fast(session):
    session.proposals.propose(count=4, size=16)
    for queued in session.state.open_regions:
        target = np.zeros(queued.region.shape, np.uint8)
        target[: len(target) // 2] = 1
        session.labels.save(queued.id, target, state=RegionState.DONE)
    session.train(preset="fast", epochs=1, accept_worse=True)


def test_what_was_seen_of_an_image_is_not_looked_at_again(session, lesions, monkeypatch):
    looked, real = [], task.embed_images

    def counted(context, image_ids, model):
        looked.append(len(image_ids))
        return real(context, image_ids, model)

    monkeypatch.setattr(task, "embed_images", counted)
    truth = lesions[1]
    train_fast(session)
    service, n_pool = session.image_classes, round(0.8 * len(truth))

    def asked():
        service.ask(3)
        names = [q.region.image_id for q in session.state.open_questions]
        answer_all(session, truth)
        return names

    first = asked()
    assert looked == [n_pool] and len(first) == 3
    assert not set(asked()) & set(first)
    assert looked == [n_pool]
    train_fast(session)  # another model sees other things
    asked()
    assert looked == [n_pool] * 2


def test_a_model_in_use_is_looked_through_and_blind_sees_no_opinion(session, lesions):
    truth = lesions[1]
    train_fast(session)
    service = session.image_classes
    for image_id in sorted(truth)[:16]:
        service.say(image_id, truth[image_id])
    service.ask(3)
    assert service.opinion("i00.png") is not None
    session.maintenance.configure(blind=True)
    assert service.opinion("i00.png") is None
    session.maintenance.configure(blind=False, image_classes="nevus,other")
    assert service.opinion("i00.png") is None  # it was said of other classes


def test_classes_of_images_go_along_with_an_export(session, lesions, tmp_path):
    session.proposals.propose(count=3, size=16)
    images = sorted({q.region.image_id for q in session.state.open_regions})
    for queued in session.state.open_regions:
        session.labels.save(queued.id, np.zeros((16, 16), np.uint8), state=RegionState.DONE)
    session.image_classes.say(images[0], "malignant", seconds=3)
    session.image_classes.say(images[1], None)
    session.export("masks", tmp_path / "out")
    with (tmp_path / "out" / "image_classes.csv").open(newline="") as file:
        rows = {row["image"]: row for row in csv.DictReader(file)}
    assert rows[images[0]]["image_class"] == "malignant" and rows[images[0]]["active_s"] == "3.0"
    assert rows[images[1]]["image_class"] == "can't tell" and set(rows) == set(images[:2])
    assert "1 can't tell, 1 malignant" in (tmp_path / "out" / "README.md").read_text()
    back = read_image_classes(tmp_path / "out" / "image_classes.csv", session.state.image_ids)
    assert back == {images[0]: "malignant", images[1]: None}


def test_a_table_that_could_mean_two_images_is_refused(tmp_path):
    table, ids = tmp_path / "t.csv", ("a.jpg", "a.png", "b.png")
    table.write_text("image,class\na.png,benign\nb,malignant\nb.png,malignant\nc,benign\n")
    assert read_image_classes(table, ids) == {"a.png": "benign", "b.png": "malignant"}
    table.write_text("image,class\na,benign\n")
    with pytest.raises(ConfigError, match=r"'a' in .* could mean a\.jpg, a\.png; write the whole"):
        read_image_classes(table, ids)
