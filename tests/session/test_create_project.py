import numpy as np
import pytest
from PIL import Image

from napari_active_seg.errors import ImageError, ProjectError, SchemaError
from napari_active_seg.project import Project, Split
from napari_active_seg.regions import RegionState
from napari_active_seg.session.create_project import (
    ImageSettings,
    create_project,
    inspect_folder,
    plan_split,
)

CLASSES = ("background", "disk")


def make(tmp_path, pool, **more):
    settings = {"images_dir": pool / "images", "classes": CLASSES, **more}
    return create_project(tmp_path / "p", **settings)


def test_masks_label_the_validation_images_and_leave_the_pool(tmp_path, pool):
    created = make(
        tmp_path, pool, masks_dir=pool / "masks", settings=ImageSettings(val_fraction=0.5)
    )
    assert (created.images, created.validation_images) == (4, 2)
    assert (created.validation_labelled, created.masks_left) == (2, 2)
    with Project.open(created.folder) as project:
        queue = project.regions.queue()
        validation = {ref.id for ref in project.images.all(Split.VALIDATION)}
        assert {q.region.image_id for q in queue} == validation
        assert all(q.state is RegionState.DONE for q in queue)
        truth = np.asarray(Image.open(pool / "masks" / queue[0].region.image_id)) // 255
        assert (project.labels.latest(queue[0].id).target == truth).all()


def test_corrupt_file_is_set_aside_and_named(tmp_path, pool):
    (pool / "images" / "img9.png").write_bytes(b"\x89PNG rubbish")
    created = make(tmp_path, pool)
    assert created.images == 4
    assert [p.file for p in created.problems] == ["img9.png"]


@pytest.mark.parametrize(
    ("spoil", "error", "words"),
    [
        (lambda pool: {"images_dir": pool / "masks" / "none"}, ImageError, "no folder"),
        (lambda pool: {"classes": ("a", "a")}, SchemaError, "twice"),
        (
            lambda pool: {"classes": ("a", "b"), "masks_dir": pool / "images"},
            ImageError,
            "no mask",
        ),
    ],
)
def test_bad_input_is_refused_before_anything_is_written(tmp_path, pool, spoil, error, words):
    with pytest.raises(error, match=words):
        make(tmp_path, pool, **spoil(pool))
    assert not (tmp_path / "p").exists()


def test_mask_of_another_size_is_refused_with_both_sizes(tmp_path, pool):
    Image.new("L", (40, 30)).save(pool / "masks" / "img2.png")
    with pytest.raises(ImageError, match=r"img2.png is 30 x 40 but its image is 96 x 128"):
        make(tmp_path, pool, masks_dir=pool / "masks")
    assert not (tmp_path / "p").exists()


def test_existing_project_is_not_touched(tmp_path, pool):
    make(tmp_path, pool)
    before = (tmp_path / "p" / "project.json").read_bytes()
    with pytest.raises(ProjectError, match="nothing was changed"):
        make(tmp_path, pool)
    assert (tmp_path / "p" / "project.json").read_bytes() == before


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"group_pattern": "(img)[0-9]"}, "all 4 images are of one patient or slide, 'img'"),
        ({}, ""),
        ({"val_fraction": 0.0}, ""),  # asked for
    ],
)
def test_a_split_without_validation_is_noted_at_once(tmp_path, pool, more, words):
    created = make(tmp_path, pool, settings=ImageSettings(**more))
    assert [words in note for note in created.notes] == ([True] if words else [])
    if words:
        assert "Make a new project with another pattern" in created.notes[0]
        plan = plan_split(inspect_folder(pool / "images"), ImageSettings(**more))
        assert plan.summary == (
            "0 of 4 images, 0 of 1 patients or slides: no model can be measured"
        )


def test_paths_and_classes_may_be_texts(tmp_path, pool):
    """A script gave the letters of 'background,disk' as classes."""
    created = create_project(
        str(tmp_path / "p"),
        images_dir=str(pool / "images"),
        masks_dir=str(pool / "masks"),
        classes="background, disk",
    )
    with Project.open(created.folder) as project:
        assert project.schema.names == CLASSES
    with pytest.raises(SchemaError, match="needs 2 to 255 classes, got 1: gland"):
        create_project(tmp_path / "q", images_dir=pool / "images", classes="gland")
