"""Folders as people have them, looked at and made into projects."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_data import disk_picture

from napari_active_seg.errors import ImageError
from napari_active_seg.project import Project, Split
from napari_active_seg.regions import RegionState
from napari_active_seg.session.create_project import (
    GROUP_PATTERNS,
    ImageSettings,
    MasksAmongImagesError,
    create_project,
    inspect_folder,
    plan_split,
)

CLASSES = ("background", "disk")


def save(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def write(folder, names, *, image="{}.png", mask=None, first=0):
    """Write a picture for each name, and its mask where ``mask`` says what it is called."""
    for seed, name in enumerate(names, first):
        pixels, truth = disk_picture(seed)
        save(folder / image.format(name), pixels)
        if mask is not None:
            save(folder / mask.format(name), truth * 255)


def make(tmp_path, images_dir, **more):
    settings = {"find_masks": True, **more}
    return create_project(tmp_path / "p", images_dir=images_dir, classes=CLASSES, **settings)


NAMES = ("a", "b", "c", "d")
#: What is chosen, how images and masks are called in it, where masks are then found.
LAYOUTS = {
    "parent of both": (".", "images/{}.png", "masks/{}.png", "masks"),
    "images alone": ("images", "images/{}.png", "masks/{}.png", "masks"),
    "img and gt": (".", "img/{}.jpg", "gt/{}_gt.png", "gt"),
    "two levels down": (".", "set 1/imgs/{}.png", "set 1/Labels/{}.png", "set 1/Labels"),
    "next to each other": (".", "{}.png", "{}_segmentation.png", "."),
    "among the images": (".", "images/{}.png", "images/{}_mask.png", "images"),
    "other kind of file": (".", "image/{}.jpg", "annotations/{}-label.tif", "annotations"),
    "masks without a folder": (".", "images/{}.png", "{}_anno.png", "."),
    "patients in images": ("images", "images/p-{0}/1{0}.png", "masks/p-{0}/1{0}.png", "masks"),
    "chosen below": ("images/x", "images/x/{}.png", "masks/x/{}.png", "masks/x"),
    "Kaggle": ("train", "train/{}.jpg", "train_masks/{}_mask.png", "train_masks"),
}


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_images_and_masks_are_told_apart(tmp_path, layout):
    chosen, image, mask, masks_dir = layout
    data = tmp_path / "data"
    write(data, NAMES, image=image, mask=mask)
    look = inspect_folder(data / chosen)
    assert len(look.images) == 4 and not look.mask_like
    assert look.masks.folder == (data / masks_dir).resolve()
    assert set(look.masks.by_image) == {image.id for image in look.images}
    assert "4 images of 96 x 128 pixels, masks found in " in look.summary
    assert "(4 match)" in look.summary
    created = make(tmp_path, data / chosen, settings=ImageSettings(val_fraction=0.5))
    assert (created.images, created.masks, created.validation_labelled) == (4, 4, 2)
    check_labels(created, look)


def check_labels(created, look):
    """Every labelled image has the pixels of its own mask; the pool finds its masks too."""
    from fakes import FakeSegmenters

    from napari_active_seg.jobs import InlineRunner
    from napari_active_seg.session import Session

    session = Session(Project.open(created.folder), FakeSegmenters(), InlineRunner())
    session.labels.answer_from_masks(created.masks_dir, only="images")
    done = [q for q in session.state.queue if q.state is RegionState.DONE]
    assert len(done) == len(look.images)
    for queued in done:
        truth = np.asarray(Image.open(look.masks.by_image[queued.region.image_id])) // 255
        assert (session.project.labels.latest(queued.id).target == truth).all()
    session.close()


def test_whole_folder_and_its_images_make_the_same_project(tmp_path):
    write(tmp_path / "data", NAMES, image="images/{}.png", mask="masks/{}.png")
    looks = [inspect_folder(tmp_path / "data" / chosen) for chosen in (".", "images")]
    assert [image.id for image in looks[0].images] == [image.id for image in looks[1].images]
    assert looks[0].images_dir == looks[1].images_dir
    assert looks[0].masks == looks[1].masks


def test_files_that_are_no_images_are_passed_over(tmp_path):
    data = tmp_path / "data"
    write(data, NAMES, image="images/deep/{}.png", mask="masks/deep/{}.png")
    for name in ("Thumbs.db", ".DS_Store", "notes.txt", "images/deep/Thumbs.db", "masks/._a.png"):
        (data / name).write_bytes(b"nothing to see")
    (data / "__MACOSX").mkdir()
    (data / "__MACOSX" / "x.png").write_bytes(b"no picture")
    look = inspect_folder(data)
    assert [image.id for image in look.images] == [f"deep/{name}.png" for name in NAMES]
    assert len(look.masks.by_image) == 4 and not look.problems


def test_found_masks_can_be_refused_or_replaced(tmp_path):
    data = tmp_path / "data"
    write(data, NAMES, image="images/{}.png", mask="masks/{}.png")
    write(tmp_path, NAMES, image="unused/{}.png", mask="by Anna/{}.png", first=40)
    assert inspect_folder(data).with_masks(None).masks.folder is None
    other = inspect_folder(data).with_masks(tmp_path / "by Anna")
    assert other.masks.folder == tmp_path / "by Anna" and len(other.images) == 4
    assert "masks found in by Anna/ (4 match)" in other.summary
    created = make(tmp_path, data, find_masks=False)
    assert (created.masks, created.masks_dir, created.validation_labelled) == (0, None, 0)


def test_masks_that_are_named_are_no_images(tmp_path):
    """Masks in a folder whose name says nothing, below the images."""
    write(tmp_path / "data", NAMES, mask="outlined/{}.png")
    created = make(tmp_path, tmp_path / "data", masks_dir=tmp_path / "data" / "outlined")
    assert (created.images, created.masks) == (4, 4)


def test_mask_of_another_size_is_said_and_left_out(tmp_path):
    data = tmp_path / "data"
    write(data, NAMES, image="images/{}.png", mask="masks/{}.png")
    save(data / "masks" / "b.png", np.zeros((30, 40), np.uint8))
    look = inspect_folder(data)
    assert "(3 of 4 match)" in look.summary
    assert "mask b.png: 30 x 40 pixels, its image 96 x 128" in look.summary
    created = make(tmp_path, data)
    assert created.masks == 3
    assert any("b.png" in note and "30 x 40" in note for note in created.notes)


def test_masks_with_other_names_are_said(tmp_path):
    data = tmp_path / "data"
    write(data, NAMES, image="images/{}.png")
    write(data, ("1", "2"), image="unused/{}.png", mask="masks/m{}.png")
    look = inspect_folder(data / "images")
    assert look.masks.folder is None
    look = inspect_folder(data)
    assert "none has the name of an image" in look.summary


def test_images_with_one_name_and_two_suffixes_are_both_taken(tmp_path):
    write(tmp_path / "data", ("a", "b", "c"))
    write(tmp_path / "data", ("a",), image="{}.bmp", first=9)
    look = inspect_folder(tmp_path / "data")
    assert len(look.images) == 4
    assert "same name, such as a.bmp and a.png, are all taken" in look.summary


def test_patients_folders_stay_part_of_the_names(tmp_path):
    write(tmp_path / "data", ("1", "2"), image="p1/{}.png")
    write(tmp_path / "data", ("1", "2"), image="p2/{}.png", first=5)
    look = inspect_folder(tmp_path / "data")
    settings = ImageSettings(val_fraction=0.5, group_pattern=GROUP_PATTERNS["parent folder"])
    plan = plan_split(look, settings)
    assert plan.example == ("p1/1.png", "p1")
    assert plan.summary == "2 of 4 images, 1 of 2 patients or slides"
    assert make(tmp_path, tmp_path / "data", settings=settings).validation_images == 2


@pytest.mark.parametrize(
    ("pattern", "name", "group"),
    [
        ('up to first "_"', "x/patient_003_a.png", "patient"),
        ('up to last "_"', "x/patient_003_a.png", "patient_003"),
        ('up to first "-"', "TCGA-CR_1.png", "TCGA"),
        ("parent folder", "p7/images/a.png", "p7"),
        ("parent folder", "ward/p7/a.png", "p7"),
    ],
)
def test_patients_are_found_in_names(pattern, name, group):
    from napari_active_seg.images import find_groups_by_pattern

    assert find_groups_by_pattern([name], GROUP_PATTERNS[pattern]) == {name: group}


def test_folders_that_name_a_split_keep_it(tmp_path):
    data = tmp_path / "data"
    for n, part in enumerate(("train", "val", "test")):
        at = f"{part}/images/{{}}.png", f"{part}/masks/{{}}.png"
        write(data, ("1", "2"), image=at[0], mask=at[1], first=4 * n)
    look = inspect_folder(data)
    assert len(look.images) == 6 and len(look.masks.by_image) == 6
    assert "split, which is kept: test, train, validation" in look.summary
    created = make(tmp_path, data)
    check_labels(created, look)
    with Project.open(created.folder, read_only=True) as project:
        by_split = {s: {r.id.split("/")[0] for r in project.images.all(s)} for s in Split}
    assert by_split == {Split.POOL: {"train"}, Split.VALIDATION: {"val"}, Split.TEST: {"test"}}
    other = ImageSettings(folder_splits=False)
    assert plan_split(look, other).test_images == 0


def test_a_table_of_patients_leaves_the_split_of_the_folders(tmp_path):
    data = tmp_path / "data"
    for n, part in enumerate(("train", "test")):
        write(data, ("1", "2"), image=f"{part}/{part}{{}}.png", first=4 * n)
    (tmp_path / "t.csv").write_text(
        "image,patient\ntrain/train1.png,A\ntrain2,A\ntest1,B\ndata/test/test2.png,B\n"
    )
    plan = plan_split(inspect_folder(data), ImageSettings(table=tmp_path / "t.csv"))
    assert (plan.test_images, plan.groups, plan.notes) == (2, 2, ())


TABLES = {
    "no row matches": ("i,1\nj,2", "no row of .* names an image: it has i, j, and the images are"),
    "half of them": ("a,1\nb,1", r"no row for 2 of 4 images: c\.png, d\.png; add a row"),
    "two patients": ("a,1\na,2\nb,1\nc,1\nd,1", "two rows for 'a' that differ: patient '1', and"),
    "two names": ("a,1\na.png,2\nb,1\nc,1\nd,1", "about one image, a.png: 'a.png' .*'2'.* and 'a'"),
    "no patient": ("a,1\nb,\nc,1\nd,1", r"no patient for 1 of 4 images: b\.png; name the patient"),
}


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_a_table_that_leaves_a_patient_unknown_is_refused(tmp_path, table):
    rows, message = table
    write(tmp_path / "data", NAMES)
    (tmp_path / "t.csv").write_text(f"image,patient\n{rows}\n")
    settings = ImageSettings(table=tmp_path / "t.csv")
    with pytest.raises(ImageError, match=message):
        plan_split(inspect_folder(tmp_path / "data"), settings)
    with pytest.raises(ImageError, match=message):
        make(tmp_path, tmp_path / "data", settings=settings)
    assert not (tmp_path / "p").exists()


def test_a_row_that_could_mean_two_images_is_refused(tmp_path):
    write(tmp_path / "data", ("1", "2"), image="x/{}.png")
    write(tmp_path / "data", ("1",), image="y/{}.png", first=8)
    look = inspect_folder(tmp_path / "data")
    settings = ImageSettings(table=tmp_path / "t.csv", val_fraction=0.4)
    (tmp_path / "t.csv").write_text("image,patient\n1,A\n2,B\n")
    with pytest.raises(ImageError, match=r"the row '1' of .* could mean x/1\.png, y/1\.png"):
        plan_split(look, settings)
    (tmp_path / "t.csv").write_text("image,patient\nx/1,A\n2,B\ny\\1.png,C\n")
    assert plan_split(look, settings).groups == 3
    (tmp_path / "t.csv").write_text("image,patient\nx/1,A\n2,B\nz/1.png,C\n")
    with pytest.raises(ImageError, match=r"no row for 1 of 3 images: y/1\.png"):
        plan_split(look, settings)


def test_rows_and_names_that_are_not_used_are_noted(tmp_path):
    write(tmp_path / "data", NAMES)
    (tmp_path / "t.csv").write_text("image,patient\na,1\nb,1\nc,2\nd,3\ne,3\nf.png,4\n")
    created = make(tmp_path, tmp_path / "data", settings=ImageSettings(table=tmp_path / "t.csv"))
    assert created.notes == ("2 rows of the table name no image here: e, f.png",)
    look = inspect_folder(tmp_path / "data")
    plan = plan_split(look, ImageSettings(group_pattern="[abc]"))
    assert plan.notes == (
        "the group pattern does not match 1 of 4 images: d.png; each counts as a patient of its "
        "own",
    )


def test_folders_of_one_split_are_no_split(tmp_path):
    write(tmp_path / "data", NAMES, image="test/{}.png")
    look = inspect_folder(tmp_path / "data")
    assert not look.folder_splits
    assert plan_split(look, ImageSettings()).summary == "1 of 4 images"


# --- masks by what is in them ---------------------------------------------------------------


def strange(tmp_path, *, mask="outlined_{}.png"):
    """Masks whose names say nothing, among the images."""
    write(tmp_path / "data", NAMES, mask=mask)
    return tmp_path / "data"


def test_many_two_valued_images_are_asked_about(tmp_path):
    data = strange(tmp_path)
    look = inspect_folder(data)
    assert look.needs_answer
    assert look.question.startswith("4 of 8 files look like masks (two grey values, such as outl")
    with pytest.raises(MasksAmongImagesError, match="4 of 8 files look like masks"):
        make(tmp_path, data)
    assert not (tmp_path / "p").exists()
    assert make(tmp_path, data, settings=ImageSettings(mask_like="images")).images == 8


def test_two_valued_files_of_the_images_names_become_their_masks(tmp_path):
    """Photographs as JPEG, their masks as PNG of the same name, in one folder."""
    data = tmp_path / "data"
    write(data, NAMES, image="{}.jpg", mask="{}.png")
    look = inspect_folder(data)
    assert look.needs_answer
    settled = look.with_mask_like_as_masks()
    assert "4 images" in settled.summary and "(4 match)" in settled.summary
    created = make(tmp_path, data, settings=ImageSettings(mask_like="masks", val_fraction=0.5))
    assert (created.images, created.masks, created.validation_labelled) == (4, 4, 2)
    check_labels(created, settled)


@pytest.mark.parametrize("images", ["photos", "images"])
def test_two_valued_files_in_a_folder_of_their_own(tmp_path, images):
    write(tmp_path / "data", NAMES, image=f"{images}/{{}}.png", mask="lesions/{}.png")
    settled = inspect_folder(tmp_path / "data").with_mask_like_as_masks()
    assert settled.masks.folder == tmp_path / "data" / "lesions"
    assert len(settled.masks.by_image) == 4


def test_few_two_valued_images_are_not_asked_about(tmp_path):
    write(tmp_path / "data", "abcdefg")
    save(tmp_path / "data" / "x.png", disk_picture(1)[1] * 255)
    look = inspect_folder(tmp_path / "data")
    assert look.mask_like == ("x.png",) and not look.needs_answer


def test_blank_images_alone_are_not_masks(tmp_path):
    write(tmp_path / "data", "ab")
    for name in "xyz":
        save(tmp_path / "data" / f"{name}.png", np.full((96, 128, 3), 240, np.uint8))
    assert not inspect_folder(tmp_path / "data").needs_answer


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".jpg"])
@pytest.mark.parametrize("high", [1, 255])
def test_masks_of_every_kind_look_like_masks(tmp_path, suffix, high):
    if suffix == ".jpg" and high == 1:
        return  # JPEG does not keep a difference of one
    truth = disk_picture(3)[1]
    save(tmp_path / "data" / f"m{suffix}", truth * np.uint8(high))
    save(tmp_path / "data" / f"n{suffix}", np.repeat(truth[..., None] * np.uint8(high), 3, axis=2))
    assert len(inspect_folder(tmp_path / "data").mask_like) == 2


def test_jpeg_masks_are_read_without_their_noise(tmp_path):
    data = tmp_path / "data"
    write(data, NAMES, image="images/{}.png", mask="masks/{}.jpg")
    created = make(tmp_path, data, settings=ImageSettings(val_fraction=0.25))
    with Project.open(created.folder, read_only=True) as project:
        (queued,) = project.regions.queue()
        truth = disk_picture(NAMES.index(Path(queued.region.image_id).stem))[1]
        target = project.labels.latest(queued.id).target
        assert (target == truth).mean() > 0.995
        assert project.labels.latest(queued.id).objects is None


def test_masks_alone_ask_for_the_folder_of_images(tmp_path):
    write(tmp_path / "data", NAMES, image="images/{}.png", mask="masks/{}.png")
    look = inspect_folder(tmp_path / "data" / "masks")
    assert look.has_only_masks and look.needs_answer
    with pytest.raises(ImageError, match=r"all 4 files .* look like masks"):
        look.with_mask_like_as_masks()


def test_region_size_is_kept_and_follows_the_masks(tmp_path):
    y, x = np.mgrid[:400, :400]
    disk = (np.hypot(y - 200, x - 200) < 150).astype(np.uint8)
    rng = np.random.default_rng(0)
    for name in NAMES:
        save(
            tmp_path / "data/images" / f"{name}.png", rng.integers(0, 255, (400, 400, 3), np.uint8)
        )
        save(tmp_path / "data/masks" / f"{name}.png", disk)
    look = inspect_folder(tmp_path / "data")
    suggested = look.suggest_region_size()
    assert suggested.size == look.with_masks(tmp_path / "data/masks").suggest_region_size().size
    assert suggested.mixed and not look.with_masks(None).suggest_region_size().mixed
    created = make(tmp_path, tmp_path / "data")
    assert created.region_size == suggested
    with Project.open(created.folder, read_only=True) as project:
        assert project.config.region_size == suggested.size


def test_a_mask_of_two_images_of_one_name_is_not_used(tmp_path):
    write(tmp_path / "data", ("a", "b"), image="images/{}.png", mask="masks/{}_mask.png")
    write(tmp_path / "data", ("a",), image="images/{}.jpg")
    look = inspect_folder(tmp_path / "data")
    assert set(look.masks.by_image) == {"b.png"}
    created = make(tmp_path, tmp_path / "data")
    assert created.notes == ("mask a_mask.png could be that of a.jpg or a.png; it is not used",)
    assert created.masks == 1


# --- well-known data sets -------------------------------------------------------------------


def test_an_official_layout_is_said_with_its_split(tmp_path):
    data = tmp_path / "isic"
    for n, (part, truth) in enumerate(
        [
            ("ISIC-2017_Training_Data", "ISIC-2017_Training_Part1_GroundTruth"),
            ("ISIC-2017_Test_v2_Data", "ISIC-2017_Test_v2_Part1_GroundTruth"),
        ]
    ):
        names = [f"ISIC_{k:07d}" for k in range(3 * n, 3 * n + 3)]
        write(data, names, image=part + "/{}.jpg", mask=truth + "/{}_segmentation.png", first=n)
    look = inspect_folder(data)
    assert "the ISIC data set in its official layout, whose split is kept (3 t" in look.summary
    created = make(tmp_path, data)
    assert created.layout == "ISIC" and created.test_images == 3
    assert len(look.masks.by_image) == created.masks == 6
    check_labels(created, look)
    assert created.layout_summary.endswith("whose split is kept (3 test, 3 train)")
    whole = create_project(tmp_path / "w", images_dir=data, classes=CLASSES)
    assert whole.masks == 6  # the layout says where they are, so that nobody has to look
    alone = create_project(
        tmp_path / "q", images_dir=data / "ISIC-2017_Training_Data", classes=CLASSES
    )
    assert (alone.masks, alone.test_images, alone.validation_labelled) == (3, 0, 1)
    assert alone.layout_summary == "the ISIC data set in its official layout"


def test_names_of_a_known_data_set_alone_set_nothing_aside(tmp_path):
    names = [f"ISIC_{k:07d}" for k in range(4)]
    write(tmp_path, names, image="latest/{}.jpg", mask="labels/{}_segmentation.png")
    (tmp_path / "index.csv").write_text(
        "image,split\n" + "".join(f"{name},test\n" for name in names)
    )
    settings = ImageSettings(val_fraction=0.25)
    created = create_project(
        tmp_path / "p", images_dir=tmp_path / "latest", classes=CLASSES, settings=settings
    )
    assert created.layout is None and created.layout_summary == ""
    assert (created.test_images, created.validation_images, created.masks) == (0, 1, 0)
    again = create_project(
        tmp_path / "q", images_dir=tmp_path / "latest", classes=CLASSES, find_masks=True
    )
    assert again.masks_dir == tmp_path / "labels"  # found by its name, and said
