"""What is exported in a format and read back is the same to the last pixel."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tiny_export import data_set, labelled, random_target, read_back, row, written

from napari_active_seg.errors import AnnotationError
from napari_active_seg.export import EXPORTERS
from napari_active_seg.importers import HasProvenance
from napari_active_seg.regions import LabelSchema, Region, RegionState

KEEPS_UNLABELLED = [name for name, e in EXPORTERS.items() if e.keeps_unlabelled]
TELLS_OBJECTS_APART = ["masks", "tiff", "ome-zarr"]
THREE = LabelSchema.from_names(["other", "tumour", "stroma"])


@pytest.mark.parametrize("name", KEEPS_UNLABELLED)
@settings(max_examples=6, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 10**6), st.sampled_from([2, 3]))
def test_every_pixel_comes_back(name, height, width, seed, n_classes):
    assume(
        name != "dicom-seg" or height * width >= 8
    )  # highdicom 0.28 packs less than a byte wrong
    schema = LabelSchema.from_names(["background", "gland", "tissue ü"][:n_classes])
    target = random_target((height, width), seed, n_classes)
    images = [labelled("sub dir/ä 1.png", target)]
    with tempfile.TemporaryDirectory() as folder:
        written(data_set(images, schema=schema), name, Path(folder) / "out")
        source = read_back(Path(folder) / "out", images, schema=schema)
        region = Region.whole(images[0].id, target.shape)
        assert (source.read_target(region) == target).all()


@pytest.mark.parametrize("name", ["yolo", "glas"])
@settings(max_examples=6, deadline=None)
@given(st.integers(3, 40), st.integers(3, 40), st.integers(0, 10**6))
def test_every_pixel_of_what_is_labelled_throughout_comes_back(name, height, width, seed):
    target = random_target((height, width), seed, unlabelled=False)
    target[target.shape[0] // 3 :] = 0  # few objects enough for a bitmap's numbers
    images = [labelled("a.png", target)]
    with tempfile.TemporaryDirectory() as folder:
        written(data_set(images), name, Path(folder) / "out")
        source = read_back(Path(folder) / "out", images)
        assert (source.read_target(Region.whole("a.png", target.shape)) == target).all()


@pytest.mark.parametrize("name", KEEPS_UNLABELLED)
@pytest.mark.parametrize("cut", ["regions", "tiles"])
def test_regions_and_tiles_come_back_to_their_places(name, cut, tmp_path):
    target = random_target((50, 70), 3, 3)
    places = [Region("a.png", 3, 5, 20, 30), Region("a.png", 30, 40, 17, 23)]
    inside = np.zeros(target.shape, bool)
    for place in places:
        inside[place.slices] = True
    target[~inside] = 255
    images = [labelled("a.png", target, regions=places)]
    data = data_set(images, schema=THREE, cut=cut, tile=32, overlap=8)
    assert len(data.pieces) == (2 if cut == "regions" else 6)
    written(data, name, tmp_path / "out")
    source = read_back(tmp_path / "out", images, schema=THREE)
    assert source.parts(image_ref(images[0])) == tuple(places)
    for place in places:
        assert (source.read_target(place) == target[place.slices]).all()


def image_ref(image):
    from napari_active_seg.images import ImageRef

    return ImageRef(image.id, image.id, image.shape, None, "")


@pytest.mark.parametrize("name", TELLS_OBJECTS_APART)
def test_objects_that_touch_stay_apart(name, tmp_path):
    target = np.zeros((20, 30), np.uint8)
    target[5:15, 5:25] = 1
    objects = np.zeros(target.shape, np.int32)
    objects[5:15, 5:15], objects[5:15, 15:25] = 7, 300_000
    images = [labelled("a.png", target, objects=objects)]
    written(data_set(images), name, tmp_path / "out")
    region = Region.whole("a.png", target.shape)
    assert (read_back(tmp_path / "out", images).objects(region) == objects).all()


@pytest.mark.parametrize("name", ["coco", "geojson", "labelme", "yolo", "glas"])
def test_touching_objects_stay_apart_in_formats_of_objects(name, tmp_path):
    target = np.zeros((20, 30), np.uint8)
    target[5:15, 5:25] = 1
    objects = np.zeros(target.shape, np.int32)
    objects[5:15, 5:15], objects[5:15, 15:25] = 7, 9
    objects[8, 8] = target[8, 8] = 0
    images = [labelled("a.png", target, objects=objects)]
    written(data_set(images), name, tmp_path / "out")
    found = read_back(tmp_path / "out", images).objects(Region.whole("a.png", target.shape))
    assert ((found > 0) == (objects > 0)).all()
    pairs = set(zip(found.ravel().tolist(), objects.ravel().tolist(), strict=True))
    assert len(pairs) == 3


def test_labels_without_objects_do_not_come_back_with_some(tmp_path):
    images = [labelled("a.png", random_target((20, 20), 1))]
    for name in ("coco", "geojson", "labelme"):
        written(data_set(images), name, tmp_path / name)
        source = read_back(tmp_path / name, images)
        assert source.objects(Region.whole("a.png", (20, 20))) is None


def test_classes_in_another_order_are_found_by_their_names(tmp_path):
    target = random_target((20, 20), 1, 3)
    images = [labelled("a.png", target)]
    other = LabelSchema.from_names(["stroma", "other", "tumour"])
    place = np.array([1, 2, 0] + [255] * 253, np.uint8)
    for name in KEEPS_UNLABELLED:
        written(data_set(images, schema=THREE), name, tmp_path / name)
        source = read_back(tmp_path / name, images, schema=other)
        assert (source.read_target(Region.whole("a.png", (20, 20))) == place[target]).all(), name


def test_how_a_region_came_to_be_comes_back(tmp_path):
    places = [Region("a.png", 0, 0, 10, 10), Region("a.png", 0, 10, 10, 10)]
    images = [labelled("a.png", random_target((10, 20), 1), regions=places)]
    rows = (
        row(places[0], region="r0", round=3, active_s=4.5, strokes=2, score=0.25, begun="blind"),
        row(places[1], region="r1", state="cant_tell", kind="control", draw_probability=0.125),
    )
    written(data_set(images, rows=rows), "masks", tmp_path / "out")
    source = read_back(tmp_path / "out", images)
    assert isinstance(source, HasProvenance)
    one, two = (source.facts(place) for place in places)
    assert (one.round, one.effort.active_s, one.effort.strokes, one.effort.begun) == (
        3, 4.5, 2, "blind",
    )  # fmt: skip
    assert two.state is RegionState.CANT_TELL
    assert (two.kind, two.draw_probability) == ("control", 0.125)
    assert source.facts(Region("a.png", 0, 0, 3, 3)) is None


def test_a_card_that_leads_outside_is_refused(tmp_path):
    images = [labelled("a.png", random_target((10, 10), 1))]
    written(data_set(images), "masks", tmp_path / "out")
    card = tmp_path / "out" / "dataset.json"
    card.write_text(card.read_text().replace("masks/pool/a.png", "../../secret.png"))
    source = read_back(tmp_path / "out", images)
    with pytest.raises(AnnotationError, match="outside"):
        source.read_target(Region.whole("a.png", (10, 10)))


@pytest.mark.parametrize("break_it", ["{", '{"made_by": "napari-active-seg"}'])
def test_a_damaged_card_is_named(break_it, tmp_path):
    images = [labelled("a.png", random_target((10, 10), 1))]
    written(data_set(images), "masks", tmp_path / "out")
    (tmp_path / "out" / "dataset.json").write_text(break_it)
    with pytest.raises(AnnotationError, match=r"dataset\.json"):
        read_back(tmp_path / "out", images)
