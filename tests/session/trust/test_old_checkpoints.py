"""Models that an older program trained are known by their options of today."""

import shutil
from pathlib import Path

import pytest

from napari_active_seg.models.training_options import TrainingOptions
from napari_active_seg.project import Project
from napari_active_seg.session.trust.cross_validate import training_of

FORMAT_2 = Path(__file__).parents[2] / "project" / "data" / "format-2"


@pytest.fixture
def older(tmp_path):
    shutil.copytree(FORMAT_2, tmp_path / "older")
    return tmp_path / "older" / "project"


def test_options_in_the_header_of_an_older_checkpoint_have_their_new_names(older):
    with Project.open(older, read_only=True) as project:
        options, weights = training_of(project, project.models.in_use())
    assert weights == "random"
    assert options == TrainingOptions(
        augmentation="flips",
        batch=64,
        batch_norm="frozen",
        class_balance="weights",
        crop=32,
        ema_decay=0.9,
        learning_rate=0.01,
        loss="dice",
        optimiser="adam",
        patience=3,
        pseudo_label_threshold=0.8,
        schedule="cosine",
        steps=4,
        training_length=2,
        training_precision="float32",
    )


def test_older_model_predicts_and_is_trained_further(older):
    pytest.importorskip("torch")
    from napari_active_seg.api import open_session

    with open_session(older, device="cpu") as session:
        session.predict()
        session.wait()
        assert len(session.state.predicted) == 3
        session.maintenance.configure(restarts=1, semi_supervised="off")
        session.train(init="current")
        session.wait()
        assert session.last_training.origin == "model m001"
