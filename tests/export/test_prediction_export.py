"""A folder of predictions: files, measurements, and going on where it was stopped."""

import csv

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_active_seg.errors import BadInputError
from napari_active_seg.export import PredictionFolder
from napari_active_seg.metrics.morphometry import class_areas, measure_objects
from napari_active_seg.regions import LabelSchema, Region
from napari_active_seg.uncertainty import MomentStream, Prediction

SCHEMA = LabelSchema.from_names(["background", "gland"])


def prediction(image_id, mask, step=1):
    probs = np.stack([1 - mask * 0.75 - 0.1, mask * 0.75 + 0.1]).astype(np.float32)
    stream = MomentStream()
    stream.add(probs)
    height, width = mask.shape
    region = Region(image_id, 0, 0, height * step, width * step)
    return Prediction(region, stream.moments(), "m001", step)


def mask_of_two():
    mask = np.zeros((40, 60), np.uint8)
    mask[5:15, 5:25] = 1
    mask[20:36, 40:56] = 1
    return mask


def rows_of(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_objects_are_measured_in_pixels_and_square_millimetres():
    mask = mask_of_two()
    told = prediction("a.png", mask)
    ids = mask.astype(np.int32)
    ids[20:36] *= 2
    heat = np.where(mask, 0.5, 0.1).astype(np.float32)
    one, two = measure_objects(ids, told.classes, told.mean_probs, heat, spacing=(0.5, 2.0))
    assert (one.area_px, one.top, one.left, one.bottom, one.right) == (200, 5, 5, 15, 25)
    assert one.area_mm2 == pytest.approx(200 * 0.5 * 2.0 / 1e6)
    assert (one.y, one.x) == (9.5, 14.5)
    assert one.solidity == 1.0 and two.eccentricity == pytest.approx(0, abs=1e-6)
    assert one.mean_uncertainty == pytest.approx(0.5)
    assert one.mean_probability == pytest.approx(0.85)
    coarse = measure_objects(ids, told.classes, told.mean_probs, heat, step=4)
    assert coarse[0].area_px == 3200 and coarse[0].area_mm2 is None
    assert (coarse[0].top, coarse[0].right) == (20, 100)
    assert coarse[0].y == (9.5 + 0.5) * 4 - 0.5
    assert class_areas(told.classes, 2, step=4) == ((2400 - 456) * 16, 456 * 16)


def test_lines_and_points_have_a_shape_too():
    ids = np.zeros((9, 9), np.int32)
    ids[2, 1:8], ids[5, 5] = 1, 2
    probs = np.full((2, 9, 9), 0.5, np.float32)
    found = measure_objects(ids, (ids > 0).astype(np.uint8), probs, probs[0])
    assert [own.solidity for own in found] == [1.0, 1.0]


def test_files_and_tables_of_a_folder(tmp_path):
    ids = ["x/ä 1.png", "x/ä 1.tif", "b.png"]
    folder = PredictionFolder(tmp_path / "out", ids, SCHEMA, request={"model": "m001"})
    folder.begin()
    heat = np.full((40, 60), 0.25, np.float32)
    for image_id in ids:
        told = prediction(image_id, mask_of_two(), step=2 if image_id == "b.png" else 1)
        folder.keep(told, heat, objects=None, spacing=(0.5, 0.5))
    assert folder.finish(unread={}) == (3, 6)
    out = tmp_path / "out"
    mask = Image.open(out / "masks" / "x" / "ä 1_png.png")
    assert (np.asarray(mask) == mask_of_two()).all()
    assert (out / "masks" / "b.every-2.tif").is_file()
    probs = tifffile.imread(out / "probabilities" / "x" / "ä 1_tif.tif")
    assert probs.shape == (2, 40, 60) and probs.dtype == np.float32
    assert tifffile.imread(out / "objects" / "b.every-2.tif").max() == 2
    images = {row["image"]: row for row in rows_of(out / "images.csv")}
    assert set(images) == set(ids)
    assert int(images["b.png"]["gland px"]) == 4 * int(images["x/ä 1.png"]["gland px"]) == 4 * 456
    assert images["b.png"]["gland objects"] == "2" and "background objects" not in images["b.png"]
    assert float(images["b.png"]["gland mm2"]) == pytest.approx(4 * 456 * 0.25 / 1e6)
    assert float(images["x/ä 1.png"]["gland share"]) == pytest.approx(456 / 2400)
    objects = rows_of(out / "objects.csv")
    assert {row["class"] for row in objects} == {"gland"} and len(objects) == 6


def test_it_goes_on_and_refuses_what_another_model_said(tmp_path):
    heat = np.zeros((40, 60), np.float32)

    def folder(model):
        return PredictionFolder(tmp_path / "out", ["a.png", "b.png"], SCHEMA, request={"m": model})

    first = folder("m001")
    first.begin()
    first.keep(prediction("a.png", mask_of_two()), heat, objects=None, spacing=None)
    again = folder("m001")
    again.begin()
    assert again.is_done("a.png") and not again.is_done("b.png")
    assert again.finish(unread={}) == (1, 2)
    with pytest.raises(BadInputError, match="another model"):
        folder("m002").begin()
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "a.txt").write_text("mine")
    with pytest.raises(BadInputError, match="other things"):
        PredictionFolder(tmp_path / "thesis", ["a.png"], SCHEMA, request={}).begin()
    assert [p.name for p in (tmp_path / "thesis").iterdir()] == ["a.txt"]
