"""Labels of one class, rare classes, and models that predict one class everywhere."""

import numpy as np
import pytest
from fakes import FakeSegmenter, FakeSegmenters
from PIL import Image

from napari_active_seg.errors import OneClassError, RemedyId
from napari_active_seg.jobs import InlineRunner
from napari_active_seg.project import Project
from napari_active_seg.regions import UNLABELLED, Effort, RegionState
from napari_active_seg.session import Session
from napari_active_seg.session.create_project import ImageSettings, create_project
from napari_active_seg.session.labels.class_counts import describe_rare_classes


def finish_disks(session, count=3, *, value=1, size=24):
    """Finish proposed regions in which some rows alone are painted."""
    session.maintenance.configure(unpainted="unlabelled")
    session.proposals.propose(count=count, size=size)
    regions = [queued.id for queued in session.state.open_regions]
    target = np.full((size, size), UNLABELLED, np.uint8)
    target[: size // 3] = value
    for region_id in regions:
        session.labels.leave(region_id, RegionState.DONE, target=target, effort=Effort())
    session.labels.flush()
    return regions


def lap(session, pool):
    session.proposals.propose(count=8, size=32)
    session.labels.answer_from_masks(pool / "masks")


# --- what is refused ---------------------------------------------------------------------------


def test_training_on_one_class_is_refused_and_nothing_is_left(session):
    finish_disks(session)
    with pytest.raises(OneClassError) as caught:
        session.train()
    text = str(caught.value)
    assert "labelled pixels of the 3 finished regions are disk" in text
    assert text.endswith("paint another class too, or count unpainted pixels as background")
    (remedy,) = caught.value.remedies
    assert remedy.id is RemedyId.COUNT_UNPAINTED
    assert remedy.label == "Count unpainted pixels as background and train"
    assert session.state.models == () and session.state.job is None


def test_the_remedy_makes_labels_of_two_classes(session):
    finish_disks(session)
    session.maintenance.configure(unpainted=session.labels.background)
    session.labels.apply_unpainted_rule()
    session.train()
    assert session.state.model.id == "m001"
    seen = np.concatenate([e.target.ravel() for e in session.context.networks.trained[-1].seen])
    assert {0, 1} <= set(np.unique(seen).tolist())


def test_no_remedy_is_offered_where_it_would_not_help(session, pool):
    regions = finish_disks(session, value=0)  # background alone, and gaps
    with pytest.raises(OneClassError) as caught:
        session.train()
    assert caught.value.remedies == () and str(caught.value).endswith("paint another class too")
    for region_id in regions:  # disk alone, and no gaps
        session.labels.save(region_id, np.ones((24, 24), np.uint8), state=RegionState.DONE)
    with pytest.raises(OneClassError) as caught:
        session.train()
    assert caught.value.remedies == ()


def test_a_training_that_begins_by_itself_is_refused_without_harm(project_folder):
    project = Project.open(project_folder)
    opened = Session(project, FakeSegmenters(), InlineRunner(), follows_screen=True)
    failed = []
    opened.failed.connect(failed.append)
    opened.maintenance.configure(train_after=2)
    regions = finish_disks(opened)
    assert [type(error) for error in failed] == [OneClassError]
    assert all(opened.project.regions.get(r).state is RegionState.DONE for r in regions)
    assert opened.state.models == () and len(opened.state.open_regions) == 0
    opened.close()


def test_a_script_may_train_on_one_class_all_the_same(session):
    finish_disks(session)
    session.train(allow_one_class=True)
    assert session.state.model.id == "m001"


# --- what is warned of ---------------------------------------------------------------------------


def test_classes_without_labels_and_rare_ones_are_noted():
    names = ("background", "disk", "lumen", "vessel")
    missing, rare = describe_rare_classes(np.array([9_960, 40, 0, 0]), names)
    assert missing.startswith("no pixel is labelled lumen or vessel")
    assert rare.startswith("only 0.4 % of the labelled pixels are disk")
    assert describe_rare_classes(np.array([990, 10]), names[:2]) == ()
    assert describe_rare_classes(np.array([0, 0]), names[:2]) == ()


def test_notes_of_a_training_name_the_class_that_nobody_labelled(session, pool):
    lap(session, pool)
    session.maintenance.add_class("lumen")
    session.train()
    assert "no pixel is labelled lumen" in session.last_training.notes[0]


# --- models that predict one class --------------------------------------------------------------


@pytest.fixture
def collapsing(monkeypatch):
    """Let every training end with a model that calls all pixels disk."""
    plain = FakeSegmenter.train

    def trained(self, data, **options):
        outcome = plain(self, data, **options)
        self.threshold = -5.0
        return outcome

    monkeypatch.setattr(FakeSegmenter, "train", trained)


def test_a_model_that_tells_classes_apart_is_not_warned_of(session, pool):
    lap(session, pool)
    session.train()
    session.predict()
    assert session.last_training.collapse is None
    assert session.trust.collapse() is None


def test_a_model_that_predicts_one_class_is_told_of_by_the_validation(session, pool, collapsing):
    lap(session, pool)
    session.train()
    found = session.last_training.collapse
    assert (found.class_name, found.share, found.pixels) == ("disk", 1.0, "validation")
    assert found.describe() in session.last_training.notes
    assert found.describe().startswith(
        "m001 predicts disk for 100 % of the validation pixels: it has not learned to tell the "
        "classes apart."
    )
    assert session.trust.collapse() == found
    folder = session.project.folder
    session.close()
    with Project.open(folder, read_only=True) as project:
        again = Session(project, FakeSegmenters(), InlineRunner())
        assert again.trust.collapse() == found


@pytest.fixture
def unmeasured(tmp_path, pool):
    """A session over pictures of which no validation image is labelled."""
    folder = create_project(
        tmp_path / "unmeasured",
        images_dir=pool / "images",
        classes=("background", "disk"),
        settings=ImageSettings(val_fraction=0.25),
    ).folder
    opened = Session(Project.open(folder), FakeSegmenters(), InlineRunner())
    opened.maintenance.configure(validation=0.0)
    yield opened
    opened.close()


def test_without_a_validation_the_training_regions_show_it(unmeasured, pool, collapsing):
    lap(unmeasured, pool)
    unmeasured.train()
    found = unmeasured.last_training.collapse
    assert (found.class_name, found.pixels) == ("disk", "training")
    assert unmeasured.trust.collapse() == found


def test_cached_predictions_show_it_of_a_model_that_learned_one_class(unmeasured):
    finish_disks(unmeasured)
    unmeasured.train(allow_one_class=True)
    model = unmeasured.context.models.segmenter(unmeasured.state.model)
    model.threshold = -5.0
    assert unmeasured.trust.collapse() is None  # nobody has predicted anything
    unmeasured.predict()
    found = unmeasured.trust.collapse()
    assert (found.class_name, found.share, found.pixels) == ("disk", 1.0, "predicted")


def test_a_rare_class_that_is_found_is_no_collapse(unmeasured, pool):
    for number, folder in enumerate(("images", "masks")):
        for path in (pool / folder).iterdir():
            colours = ((225, 180, 205), (40, 40, 40)) if number == 0 else (0, 255)
            picture = Image.new("RGB" if number == 0 else "L", (128, 96), colours[0])
            picture.paste(colours[1], (40, 40, 48, 48))
            picture.save(path)
    unmeasured.maintenance.accept_changed()
    unmeasured.labels.answer_from_masks(pool / "masks", only="images")
    unmeasured.train()
    unmeasured.predict()
    shown = unmeasured.prediction(unmeasured.state.image_ids[0]).classes
    assert 0.98 < (shown == 0).mean() < 1
    assert unmeasured.last_training.collapse is None
    assert unmeasured.trust.collapse() is None
    (note,) = unmeasured.last_training.notes
    assert note.startswith("only 0.52 % of the labelled pixels are disk")
