import pytest

from napari_active_seg.importers import (
    image_root,
    is_image_folder,
    is_mask_folder,
    pair_masks,
    sort_files,
    split_of_folders,
)


@pytest.mark.parametrize(
    "folder",
    [
        *("masks", "mask", "labels", "label", "gt", "GroundTruth", "ground_truth", "annotations"),
        *("seg", "Segmentation", "segmentations", "train_masks", "masks-test", "instances"),
    ],
)
def test_folder_of_masks_by_its_name(folder):
    assert is_mask_folder(folder) and not is_image_folder(folder)


@pytest.mark.parametrize("folder", ["images", "img", "imgs", "Image", "train_images"])
def test_folder_of_images_by_its_name(folder):
    assert is_image_folder(folder) and not is_mask_folder(folder)


@pytest.mark.parametrize("folder", ["label_free_imaging", "patients", "train", "my masks old"])
def test_other_folders_are_neither(folder):
    assert not is_mask_folder(folder) and not is_image_folder(folder)


@pytest.mark.parametrize("ending", ["segmentation", "mask", "gt", "label", "anno", "Seg", "masks"])
def test_masks_next_to_their_images(ending):
    names = ["a.png", f"a_{ending}.png", "b-1.jpg", f"b-1-{ending}.png"]
    found = sort_files(names)
    assert found.images == ("a.png", "b-1.jpg")
    assert pair_masks(found.images, found.masks) == {
        "a.png": f"a_{ending}.png",
        "b-1.jpg": f"b-1-{ending}.png",
    }


def test_ending_without_an_image_of_that_name_is_an_image():
    assert sort_files(["slide_label.png", "scan.png"]).masks == ()


def test_masks_alone_are_images_to_the_names():
    assert sort_files(["masks/a.png", "masks/b.png"]).masks == ()


def test_split_folders_pair_by_their_place():
    names = [
        f"{s}/{kind}/{n}.png" for s in ("train", "test") for kind in ("images", "gt") for n in "ab"
    ]
    found = sort_files(names)
    assert pair_masks(found.images, found.masks) == {
        f"{s}/images/{n}.png": f"{s}/gt/{n}.png" for s in ("train", "test") for n in "ab"
    }
    assert [split_of_folders(name) for name in found.images] == ["train"] * 2 + ["test"] * 2
    assert split_of_folders("images/a.png") is None


def test_kaggle_folders_and_masks_without_sub_folders():
    found = sort_files(["train_images/a.jpg", "train_masks/a.png", "val_images/a.jpg"])
    assert pair_masks(found.images, found.masks) == {"train_images/a.jpg": "train_masks/a.png"}
    assert split_of_folders("val_images/a.jpg") == "validation"
    deep = sort_files(["images/p1/a.png", "images/p2/b.png", "masks/a.png", "masks/b_mask.png"])
    assert pair_masks(deep.images, deep.masks) == {
        "images/p1/a.png": "masks/a.png",
        "images/p2/b.png": "masks/b_mask.png",
    }
    twice = sort_files(["images/p1/a.png", "images/p2/a.png", "masks/a.png"])
    assert pair_masks(twice.images, twice.masks) == {}  # nobody can say whose it is


def test_name_that_is_an_image_is_not_taken_for_the_mask_of_another():
    assert pair_masks(["a.png", "a_gt.png"], ["a.png", "a_gt.png"]) == {
        "a.png": "a.png",
        "a_gt.png": "a_gt.png",
    }


def test_root_is_the_folder_of_images_that_holds_all():
    assert image_root(["images/a.png", "images/b/c.png"]) == "images"
    assert image_root(["set/images/a.png", "set/images/b.png"]) == "set/images"
    assert image_root(["images/a.png", "overview.png"]) == ""
    assert image_root(["p1/a.png", "p1/b.png"]) == ""
    assert image_root([]) == ""
