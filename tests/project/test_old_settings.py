"""Projects, checkpoints and studies that an older program wrote keep their settings."""

import json
import shutil
from pathlib import Path

import pytest

from napari_active_seg.errors import ConfigError, ProjectError
from napari_active_seg.project import (
    SETTINGS,
    Project,
    ProjectConfig,
    migrate_settings,
    migrate_training,
    restore_old_names,
)

#: Written by the last program of format 2, with every setting other than its default.
FORMAT_2 = Path(__file__).parent / "data" / "format-2"
#: What its settings are called today.
EXPECTED = {
    "training": {
        "init": "scratch",
        "weights_file": None,
        "training_length": 2,
        "steps": 4,
        "batch": 64,
        "crop": 32,
        "loss": "dice",
        "class_balance": "weights",
        "augmentation": "flips",
        "optimiser": "adam",
        "schedule": "cosine",
        "learning_rate": 0.01,
        "ema_decay": 0.9,
        "patience": 3,
        "restarts": 2,
        "semi_supervised": "consistency",
        "pseudo_label_threshold": 0.8,
        "batch_norm": "frozen",
        "training_precision": "float32",
        "training_seconds": 30.0,
    },
    "inference": {
        "uncertainty_from": "views",
        "samples": 6,
        "ensemble_size": 4,
        "temperature": 1.5,
        "calibration": "temperature",
        "precision": "bfloat16",
    },
    "acquisition": {
        "strategy": "diverse-regions",
        "measure": "entropy",
        "cost": "boundary",
        "alpha": 0.5,
        "beta": 0.25,
        "diversity": "power",
        "control": 0.2,
        "validation": 0.05,
        "per_image": 2,
        "per_image_share": 0.5,
        "per_patient": 3,
    },
}


@pytest.fixture
def older(tmp_path):
    """A copy of a project of format 2."""
    shutil.copytree(FORMAT_2, tmp_path / "older")
    return tmp_path / "older" / "project"


def test_every_setting_of_format_2_has_its_new_name(older):
    before = (older / "project.json").read_bytes()
    with Project.open(older) as project:
        config = project.config
        assert len(project.labels.done(["a.png", "b.png", "c.png"])) == 2
    for section, expected in EXPECTED.items():
        assert getattr(config, section).model_dump() == expected
    old = json.loads(before)
    for name in ("name", "project_uid", "annotator", "blind", "worker", "cache_limit", "preset"):
        assert getattr(config, name) == old[name]
    stored = json.loads((older / "project.json").read_text())
    assert stored["format_version"] == 3
    assert {name: stored[name] for name in EXPECTED} == EXPECTED


def test_copy_of_the_old_file_is_kept_and_the_project_opens_again(older):
    before = (older / "project.json").read_bytes()
    with Project.open(older) as project:
        config = project.config
    (copy,) = (older / "backups").glob("project-format2-*.json")
    assert copy.read_bytes() == before
    with Project.open(older) as project:
        assert project.config == config
        project.configure(training_length=3)
    with Project.open(older) as project:
        assert project.config.training.training_length == 3
    assert list((older / "backups").glob("project-format*")) == [copy]


def test_read_only_opening_migrates_in_memory_alone(older):
    before = {p: p.read_bytes() for p in older.rglob("*") if p.is_file()}
    with Project.open(older, read_only=True) as project:
        assert project.config.training.model_dump() == EXPECTED["training"]
    assert {p: p.read_bytes() for p in older.rglob("*") if p.is_file()} == before


def test_format_1_receives_a_name_that_copies_share(older):
    raw = json.loads((older / "project.json").read_text())
    del raw["project_uid"]
    (older / "project.json").write_text(json.dumps(raw | {"format_version": 1}))
    uids = set()
    for _ in range(2):
        with Project.open(older, read_only=True) as project:
            uids.add(project.config.project_uid)
    assert len(uids) == 1 and len(uids.pop()) == 32


def test_newer_format_is_refused(older):
    raw = json.loads((older / "project.json").read_text())
    (older / "project.json").write_text(json.dumps(raw | {"format_version": 4}))
    with pytest.raises(ProjectError, match="format 4, this one knows 3"):
        Project.open(older)


def test_unreadable_backup_folder_leaves_the_old_file(older):
    before = (older / "project.json").read_bytes()
    (older / "backups").write_text("a file is in its way")
    with pytest.raises(ProjectError, match="backups could not be written"):
        Project.open(older)
    assert (older / "project.json").read_bytes() == before


@pytest.mark.parametrize(
    ("start", "weights", "init", "file"),
    [
        ("warm", "pretrained", "current", None),
        ("warm", "random", "current", None),
        ("warm", "own.pth", "current", "own.pth"),
        ("fresh", "pretrained", "pretrained", None),
        ("fresh", "random", "scratch", None),
        ("fresh", "own.pth", "pretrained", "own.pth"),
    ],
)
def test_start_and_weights_become_init(start, weights, init, file):
    found = migrate_settings({"start": start, "weights": weights})
    assert found == {"init": init} | ({} if file is None else {"weights_file": file})


def test_settings_of_an_arm_are_read_with_those_of_its_study():
    assert migrate_settings({"weights": "random"}, {"start": "fresh"}) == {"init": "scratch"}
    assert migrate_settings({"longer": 2}, {"start": "fresh"}) == {"training_length": 2}


def test_options_of_a_checkpoint_have_their_new_names():
    found = migrate_training({"norms": "batch", "precision": "auto", "average": 0.5, "seed": 3})
    assert found == {
        "batch_norm": "trained",
        "training_precision": "auto",
        "ema_decay": 0.5,
        "seed": 3,
    }


def test_new_names_stay_as_they_are_and_old_ones_can_be_restored():
    old = {"start": "fresh", "weights": "random", "longer": 2, "norms": "batch", "preset": "unet"}
    new = migrate_settings(old)
    assert migrate_settings(new) == new
    assert restore_old_names(new) == old
    assert restore_old_names({"init": "current", "weights_file": "a.pth"}) == {
        "start": "warm",
        "weights": "a.pth",
    }


def test_an_older_name_is_refused_with_the_new_one():
    config = ProjectConfig(name="n", created_at="t")
    with pytest.raises(ConfigError, match="'longer' has another name: use training_length"):
        config.with_changes(longer=2)
    with pytest.raises(ConfigError, match="'weights' has another name: use init or weights_file"):
        config.with_changes(weights="random")


def test_each_setting_has_a_name_of_its_own_and_a_description():
    names = [name for model in EXPECTED.values() for name in model]
    assert len(names) == len(set(names)) and set(names) <= set(SETTINGS)
    assert all(field.description for _, field in SETTINGS.values())
