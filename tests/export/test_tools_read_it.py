"""The tools that each format is for read what was written."""

import json
import os
import subprocess
import sys
import textwrap
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_export import data_set, labelled, random_target, written

from napari_active_seg.regions import LabelSchema


@pytest.fixture
def target():
    return random_target((40, 56), 5, 3)


@pytest.fixture
def data(target):
    schema = LabelSchema.from_names(["background", "gland", "vessel"])
    images = [
        labelled("one.png", target, spacing=(0.5, 0.5)),
        labelled("two.png", target[::-1].copy(), split="validation"),
        labelled("three.png", target[:, ::-1].copy(), split="audit"),
    ]
    return data_set(images, schema=schema)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_pycocotools_draws_the_same_pixels(data, target, tmp_path):
    from pycocotools.coco import COCO

    out = written(data, "coco", tmp_path / "out").out
    coco = COCO(str(out / "annotations" / "instances_train.json"))
    names = {c["id"]: c["name"] for c in coco.loadCats(coco.getCatIds())}
    drawn = np.zeros(target.shape, np.uint8)  # the background has no category
    values = {"gland": 1, "vessel": 2, "not labelled*": 255}
    kinds = set()
    for annotation in coco.loadAnns(coco.getAnnIds()):
        mask = coco.annToMask(annotation).astype(bool)
        assert mask.sum() == annotation["area"]
        rows, columns = np.nonzero(mask)
        left, top, width, height = annotation["bbox"]
        assert (left, top) == (columns.min(), rows.min())
        assert (width, height) == (np.ptp(columns) + 1, np.ptp(rows) + 1)
        drawn[mask] = values[names[annotation["category_id"]]]
        kinds.add(type(annotation["segmentation"]).__name__)
    assert (drawn == target).all()
    assert kinds == {"list", "dict"}  # polygons where they are exact, run lengths elsewhere
    picture = out / coco.loadImgs(1)[0]["file_name"]
    assert np.asarray(Image.open(picture)).shape == (40, 56, 3)


_VERIFY = """
    import sys
    from nnunetv2.experiment_planning.verify_dataset_integrity import verify_dataset_integrity
    if __name__ == "__main__":
        verify_dataset_integrity(sys.argv[1], 1)
"""


@pytest.mark.slow
def test_nnunet_finds_the_data_set_sound_and_its_ignore_label(data, target, tmp_path):
    out = written(data, "nnunet", tmp_path / "out").out
    folder = next(out.glob("Dataset501_*"))
    script = tmp_path / "verify.py"
    script.write_text(textwrap.dedent(_VERIFY))
    places = dict.fromkeys(("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results"), str(out))
    ran = subprocess.run(
        [sys.executable, script, folder], env=os.environ | places, capture_output=True, text=True,
        timeout=300, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr[-2000:]
    assert "verify_dataset_integrity Done" in ran.stdout
    labels = np.asarray(Image.open(folder / "labelsTr" / "one.png"))
    assert (labels == np.where(target == 255, 3, target)).all()
    facts = json.loads((folder / "dataset.json").read_text())
    assert facts["labels"] == {"background": 0, "gland": 1, "vessel": 2, "ignore": 3}
    assert facts["numTraining"] == 2
    assert json.loads((folder / "splits_final.json").read_text()) == [
        {"train": ["one"], "val": ["two"]}
    ]
    assert (folder / "imagesTs" / "three_0000.png").is_file()


def test_monai_loads_the_list(data, target, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from monai.data import load_decathlon_datalist
        from monai.transforms import LoadImage

        out = written(data, "monai", tmp_path / "out").out
        for section in ("training", "validation", "test"):
            listed = load_decathlon_datalist(str(out / "datalist.json"), True, section)
            assert len(listed) == 1
            assert Path(listed[0]["image"]).is_file()
        training = load_decathlon_datalist(str(out / "datalist.json"), True, "training")
        label = np.asarray(LoadImage(image_only=True)(training[0]["label"]))
    assert (target == label.T).all()  # MONAI's axes are (x, y)


@pytest.mark.slow
def test_datasets_gives_picture_and_mask(data, target, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import datasets

        out = written(data, "imagefolder", tmp_path / "out").out
        datasets.disable_progress_bars()
        found = datasets.load_dataset(
            "imagefolder", data_dir=str(out), cache_dir=str(tmp_path / "cache")
        )
        assert {split: len(rows) for split, rows in found.items()} == {
            "train": 1, "validation": 1, "test": 1,
        }  # fmt: skip
        item = found["train"][0]
    assert (np.asarray(item["mask"]) == target).all()
    assert item["image"].size == (56, 40)
    assert item["source_image"] == "one.png"


def test_ome_zarr_and_its_models_read_the_group(data, target, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import zarr
        from ome_zarr.io import parse_url
        from ome_zarr.reader import Reader
        from ome_zarr_models.v05.image import Image as ImageModel
        from ome_zarr_models.v05.image_label import ImageLabel

        out = written(data, "ome-zarr", tmp_path / "out").out
        path = out / "labels" / "pool" / "one.ome.zarr"
        nodes = list(Reader(parse_url(str(path)))())
        found = {Path(str(node.zarr.path)).name: node for node in nodes if node.data}
        assert (np.asarray(found["classes"].data[0]) == target + np.uint8(1)).all()
        assert found["one.ome.zarr"].data[0].shape == (3, 40, 56)
        assert ImageModel.from_zarr(zarr.open_group(str(path), mode="r"))
        model = ImageLabel.from_zarr(zarr.open_group(str(path / "labels" / "classes"), mode="r"))
    assert next(p.name for p in model.ome_attributes.image_label.properties) == "background"


def test_napari_shows_the_zarr_and_opens_the_tiff(data, target, tmp_path):
    import zarr
    from napari.components import ViewerModel
    from napari_builtins.io import napari_get_reader

    written(data, "ome-zarr", tmp_path / "zarr")
    written(data, "tiff", tmp_path / "tiff")
    viewer = ViewerModel()
    level = tmp_path / "zarr" / "labels" / "pool" / "one.ome.zarr" / "labels" / "classes" / "0"
    viewer.add_labels(zarr.open_array(store=str(level), mode="r"))
    assert (np.asarray(viewer.layers[0].data) == target + np.uint8(1)).all()
    path = str(tmp_path / "tiff" / "labels" / "pool" / "one.ome.tif")
    layer = napari_get_reader(path)(path)[0]
    assert (np.asarray(layer[0]) == target).all()


def test_tifffile_reads_pixel_sizes_from_the_ome_header(data, target, tmp_path):
    import tifffile

    out = written(data, "tiff", tmp_path / "out").out
    with tifffile.TiffFile(out / "labels" / "pool" / "one.ome.tif") as file:
        assert file.is_ome and file.pages[0].is_tiled
        assert 'PhysicalSizeX="0.5"' in file.ome_metadata
        assert (file.asarray() == target).all()


def test_highdicom_reads_the_segments_of_the_picture(data, target, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import highdicom
        import pydicom

        out = written(data, "dicom-seg", tmp_path / "out").out
        picture = pydicom.dcmread(out / "dicom" / "pool" / "one.dcm")
        found = highdicom.seg.segread(out / "dicom" / "pool" / "one.seg.dcm")
        masks = found.get_pixels_by_source_instance([picture.SOPInstanceUID])[0]
    names = [str(d.segment_label) for d in found.SegmentSequence]
    assert names == ["background", "gland", "vessel", "not labelled"]
    for value, mask in zip((0, 1, 2, 255), np.moveaxis(masks, -1, 0), strict=True):
        assert ((mask > 0) == (target == value)).all()
    assert picture.pixel_array.shape == (40, 56, 3)


def test_qupath_would_take_every_feature(data, tmp_path):
    """Held by what QuPath's reader asks for, as published: it cannot be run here."""
    import shapely

    out = written(data, "geojson", tmp_path / "out").out
    found = json.loads((out / "geojson" / "pool" / "one.geojson").read_text())
    assert found["type"] == "FeatureCollection"
    assert len({feature["id"] for feature in found["features"]}) == len(found["features"])
    areas = {}
    for feature in found["features"]:
        assert feature["type"] == "Feature"
        assert set(feature) == {"type", "id", "geometry", "properties"}
        own = feature["properties"]
        assert own["objectType"] == "annotation" and own["isLocked"] is True
        assert set(own["classification"]) == {"name", "color"}
        assert all(isinstance(c, int) and 0 <= c < 256 for c in own["classification"]["color"])
        assert all(isinstance(value, float) for value in own["measurements"].values())
        shape = shapely.geometry.shape(feature["geometry"])
        assert shape.geom_type == "Polygon" and shape.is_valid
        assert all(ring[0] == ring[-1] for ring in feature["geometry"]["coordinates"])
        assert shape.area == own["measurements"]["Area px^2"]
        assert own["measurements"]["Area µm^2"] == shape.area / 4
        name = own["classification"]["name"]
        areas[name] = areas.get(name, 0) + shape.area
    card = json.loads((out / "dataset.json").read_text())
    assert sum(areas.values()) == 40 * 56 - card["not_labelled"]["pixels"] / 3


def test_labelme_masks_lie_where_labelme_puts_them(data, target, tmp_path):
    """Labelme pastes a mask into the box of its two points, both ends included."""
    import base64
    import io

    out = written(data, "labelme", tmp_path / "out").out
    found = json.loads((out / "pool" / "one.json").read_text())
    drawn = np.zeros((found["imageHeight"], found["imageWidth"]), np.uint8)
    values = {"gland": 1, "vessel": 2, "__ignore__": 255}
    for shape in found["shapes"]:
        (x0, y0), (x1, y1) = shape["points"]
        mask = np.asarray(Image.open(io.BytesIO(base64.b64decode(shape["mask"])))) > 0
        assert mask.shape == (y1 - y0 + 1, x1 - x0 + 1)
        drawn[y0 : y1 + 1, x0 : x1 + 1][mask] = values[shape["label"]]
    assert (drawn == target).all()
    assert (out / "pool" / found["imagePath"]).is_file()


def test_yolo_lines_are_shares_of_width_and_height(tmp_path):
    import yaml

    target = np.zeros((20, 40), np.uint8)
    target[5:15, 10:30] = 1
    out = written(data_set([labelled("a.png", target)]), "yolo", tmp_path / "out").out
    assert yaml.safe_load((out / "data.yaml").read_text())["names"] == {0: "gland"}
    line = (out / "labels" / "train" / "a.txt").read_text().split()
    corners = np.array(line[1:], float).reshape(-1, 2)
    assert line[0] == "0"
    assert sorted(map(tuple, corners.tolist())) == [
        (0.25, 0.25), (0.25, 0.75), (0.75, 0.25), (0.75, 0.75),
    ]  # fmt: skip


def test_a_glas_folder_is_recognised_as_one(tmp_path):
    from napari_active_seg.importers import recognise_layout

    whole = random_target((20, 30), 1, unlabelled=False)
    images = [labelled("x/a.png", whole), labelled("b.png", whole, split="audit")]
    out = written(data_set(images), "glas", tmp_path / "out").out
    names = sorted(path.name for path in out.glob("*.bmp"))
    assert names == ["testB_1.bmp", "testB_1_anno.bmp", "train_1.bmp", "train_1_anno.bmp"]
    layout = recognise_layout(out, names)
    assert layout is not None and layout.name == "GlaS"
    assert layout.facts["train_1.bmp"].group == "patient 1"
