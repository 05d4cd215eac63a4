"""Masks in colours and napari's labels, QuPath's GeoJSON, COCO, archives, known data sets."""

import json
import zipfile

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from skimage.measure import label as components

from napari_active_seg.errors import AnnotationError, ConfigError, ImageError
from napari_active_seg.images import ImageRef
from napari_active_seg.importers import (
    AnnotationOptions,
    RenamedImages,
    describe_splits,
    open_annotations,
    recognise_layout,
    unpack_archive,
)
from napari_active_seg.importers.coco import _decompress
from napari_active_seg.importers.polygons import Outline, RunLengths
from napari_active_seg.regions import UNLABELLED, LabelSchema, Region

SCHEMA = LabelSchema.from_names(["background", "gland", "lumen"])
SHAPE = (40, 60)
IMAGES = (ImageRef("a.png", "", SHAPE, None, ""), ImageRef("sub/b.svs", "", SHAPE, None, ""))
WHOLE = Region.whole("a.png", SHAPE)


def opened(path, **options):
    return open_annotations(path, IMAGES, SCHEMA, AnnotationOptions(**options))


def save(path, values):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(values, np.uint8)).save(path)


# --- masks -------------------------------------------------------------------------------------


def colour_mask():
    mask = np.zeros((*SHAPE, 3), np.uint8)
    mask[:] = (10, 20, 30)
    mask[:, 20:40] = (255, 0, 0)
    mask[:5] = (0, 0, 0)
    return mask


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("t.csv", "name,colour\nBackground,#0a141e\ngland,#ff0000\nignore,#000000\n"),
        ("t.csv", "name,r,g,b\nbackground,10,20,30\ngland,255,0,0\nvoid,0,0,0\n"),
        ("t.json", json.dumps({"background": "#0a141e", "gland": [255, 0, 0], "": [0, 0, 0]})),
    ],
)
def test_colour_masks_are_read_by_a_table(tmp_path, name, text):
    save(tmp_path / "masks" / "a.png", colour_mask())
    (tmp_path / name).write_text(text)
    target = opened(tmp_path / "masks", colours=tmp_path / name).read_target(WHOLE)
    assert (target[:5] == UNLABELLED).all()
    assert (target[5:, 20:40] == 1).all() and (target[5:, :20] == 0).all()


def test_colours_of_the_project_itself_need_no_table(tmp_path):
    colours = [tuple(bytes.fromhex(c[1:])) for c in SCHEMA.colours]
    values = np.arange(40 * 60).reshape(SHAPE) % 3
    save(tmp_path / "masks" / "a.png", np.array(colours, np.uint8)[values])
    assert (opened(tmp_path / "masks").read_target(WHOLE) == values).all()


def test_colour_that_the_table_does_not_know_is_named_with_its_count(tmp_path):
    mask = colour_mask()
    mask[10:12, :3] = (1, 2, 3)
    save(tmp_path / "masks" / "a.png", mask)
    (tmp_path / "t.json").write_text(
        '{"gland": "#ff0000", "background": "#0a141e", "void": "#000000"}'
    )
    with pytest.raises(ImageError, match=r"1 colour\(s\).*#010203 in 6 pixels"):
        opened(tmp_path / "masks", colours=tmp_path / "t.json")
    (tmp_path / "t.json").write_text('{"glnd": "#ff0000"}')
    with pytest.raises(ImageError, match="did you mean 'gland'"):
        opened(tmp_path / "masks", colours=tmp_path / "t.json")


def test_napari_labels_partial_masks_and_ignored_values(tmp_path):
    values = np.arange(40 * 60).reshape(SHAPE) % 4
    (tmp_path / "n").mkdir()
    tifffile.imwrite(tmp_path / "n" / "a.tif", values.astype(np.int32))
    target = opened(tmp_path / "n").read_target(WHOLE)  # 0..3 with three classes: 0 is not labelled
    assert (target == np.where(values == 0, UNLABELLED, values - 1)).all()
    save(tmp_path / "i" / "a.png", np.where(values == 3, 9, values))
    target = opened(tmp_path / "i", ignore=(9,)).read_target(WHOLE)
    assert (target == np.where(values == 3, UNLABELLED, values)).all()
    with pytest.raises(ImageError, match="values 9"):
        opened(tmp_path / "i")
    with pytest.raises(ConfigError, match="did you mean 'index'"):
        opened(tmp_path / "i", convention="indx")


# --- outlines ----------------------------------------------------------------------------------


def feature(rings, name="gland", kind="Polygon", **more):
    properties = {"objectType": "annotation", "classification": {"name": name, "color": [1, 2, 3]}}
    geometry = {"type": kind, "coordinates": rings}
    return {"type": "Feature", "geometry": geometry, "properties": properties | more}


def box(y, x, h, w):
    return [[x, y], [x + w, y], [x + w, y + h], [x, y + h], [x, y]]


def write_geojson(path, features):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return path


def test_qupath_outlines_keep_their_holes_and_leave_the_rest_unlabelled(tmp_path):
    rings = [box(5, 10, 20, 30), box(10, 15, 5, 6)]
    lumen = [[box(11, 16, 2, 2)], [box(30, 0, 3, 4)]]
    write_geojson(
        tmp_path / "q" / "a.geojson",
        [feature(lumen, "Lumen", "MultiPolygon"), feature(rings), feature(box(0, 0, 1, 1), None)],
    )
    target = opened(tmp_path / "q").read_target(WHOLE)
    wanted = np.full(SHAPE, UNLABELLED, np.uint8)
    wanted[5:25, 10:40] = 1
    wanted[10:15, 15:21] = UNLABELLED
    wanted[11:13, 16:18] = 2
    wanted[30:33, 0:4] = 2
    assert (target == wanted).all()
    window = Region("a.png", 8, 12, 10, 20)
    assert (opened(tmp_path / "q").read_target(window) == wanted[window.slices]).all()
    filled = opened(tmp_path / "q", rest="background").read_target(WHOLE)
    assert (filled[wanted == UNLABELLED] == 0).all()


def test_names_of_the_file_are_mapped_ignored_or_refused(tmp_path):
    path = write_geojson(
        tmp_path / "b.geojson",
        [feature([box(0, 0, 9, 9)], "Tumor"), feature([box(2, 2, 3, 3)], "Ignore*")],
    )
    region = Region.whole("sub/b.svs", SHAPE)
    target = opened(path, renamed={"tumor": "gland"}).read_target(region)
    assert (target[:9, :9] == 1).sum() == 72 and (target[2:5, 2:5] == UNLABELLED).all()
    with pytest.raises(
        AnnotationError, match="names a class 'Tumor' that the project does not have"
    ):
        opened(path)


def test_outlines_on_a_slide_come_in_pieces(tmp_path):
    slide = ImageRef("big.svs", "", (20_000, 20_000), None, "")
    write_geojson(tmp_path / "big.svs.geojson", [feature([box(3000, 100, 1500, 50)])])
    source = open_annotations(tmp_path / "big.svs.geojson", (slide,), SCHEMA, AnnotationOptions())
    parts = source.parts(slide)
    assert {(p.y, p.x) for p in parts} == {(2048, 0), (4096, 0)}
    labelled = sum(int((source.read_target(p) == 1).sum()) for p in parts)
    assert labelled == 1500 * 50


@given(st.integers(0, 10_000))
def test_filling_is_exact_at_pixel_centres(seed):
    rng = np.random.default_rng(seed)
    points = rng.uniform(-5, 35, (int(rng.integers(3, 8)), 2))
    target = np.full((30, 30), UNLABELLED, np.uint8)
    Outline(1, (points,)).fill(target, Region("i", 0, 0, 30, 30))
    for row, column in rng.integers(0, 30, (40, 2)):
        y, x, inside = row + 0.5, column + 0.5, False
        for (ax, ay), (bx, by) in zip(points, np.roll(points, -1, axis=0), strict=True):
            if (ay <= y) != (by <= y) and ax + (y - ay) / (by - ay) * (bx - ax) <= x:
                inside = not inside
        assert (target[row, column] == 1) == inside


@pytest.mark.parametrize(
    "text",
    [
        "not json", "[1]", '{"type": "Nothing"}', '[{"properties": {"classification": "gland"}}]',
        json.dumps({"features": [feature([[[0, 0], [1, "x"], [2, 2]]])]}),
        json.dumps({"features": [feature([[[0, 0], [1, 1]]])]}),
        json.dumps({"features": [feature([[[0, 0], [1e9, 1], [2, 2]]])]}),
        '{"features": [{"geometry": {"type": "Polygon", "coordinates": [[[NaN,0],[1,1],[2,0]]]}, '
        '"properties": {"classification": {"name": "gland"}}}]}',
        "[" * 100_000,
    ],
)  # fmt: skip
def test_rubbish_in_geojson_is_one_clear_error(tmp_path, text):
    (tmp_path / "a.geojson").write_text(text)
    with pytest.raises(AnnotationError) as caught:
        opened(tmp_path / "a.geojson")
    assert "\n" not in str(caught.value)


# --- COCO --------------------------------------------------------------------------------------


def coco(annotations, **image):
    return {
        "images": [{"id": 7, "file_name": "/somewhere/A.PNG", "height": 40, "width": 60, **image}],
        "categories": [{"id": 1, "name": "gland"}, {"id": 2, "name": "lumen"}],
        "annotations": annotations,
    }


def runs_of(size, counts):
    return {"segmentation": {"size": size, "counts": counts}}


def runs(mask):
    flat = mask.T.ravel()
    edges = np.flatnonzero(np.diff(flat.astype(np.int8))) + 1
    counts = np.diff([0, *edges, flat.size]).tolist()
    return [0, *counts] if flat[0] else counts


def test_coco_polygons_and_run_lengths_in_one_file(tmp_path):
    rng = np.random.default_rng(0)
    blob = np.zeros(SHAPE, bool)
    blob[20:30, 5:15] = rng.random((10, 10)) > 0.4
    annotations = [
        {"image_id": 7, "category_id": 1, "segmentation": [[10, 2, 30, 2, 30, 12, 10, 12]]},
        {"image_id": 7, "category_id": 2} | runs_of([40, 60], runs(blob)),
        {"image_id": 99, "category_id": 2, "segmentation": []},
    ]
    (tmp_path / "c.json").write_text(json.dumps(coco(annotations)))
    source = opened(tmp_path / "c.json")
    assert source.image_ids == ("a.png",)
    wanted = np.zeros(SHAPE, np.uint8)  # COCO lists objects: the rest is the class without any
    wanted[2:12, 10:30] = 1
    wanted[blob] = 2
    assert (source.read_target(WHOLE) == wanted).all()
    window = Region("a.png", 18, 3, 9, 9)
    assert (source.read_target(window) == wanted[window.slices]).all()


def test_compressed_run_lengths_are_those_of_the_reference():
    # What pycocotools writes for counts of 5, 3, 300, 1, 2000 and 2: known pairs.
    def compress(counts):
        text = ""
        for place, count in enumerate(counts):
            x = count - counts[place - 2] if place > 2 else count
            more = True
            while more:
                c = x & 0x1F
                x >>= 5
                more = x != -1 if c & 0x10 else x != 0
                text += chr((c | 0x20 if more else c) + 48)
        return text

    assert compress([6, 1, 40, 4, 5, 4, 5, 4, 21]) == "61X13mN000`0"  # from COCO's own examples
    rng = np.random.default_rng(1)
    for _ in range(50):
        counts = rng.integers(0, 5000, int(rng.integers(1, 40))).tolist()
        assert _decompress(compress(counts)).tolist() == counts


def ring(x, y, width, height):
    """Return a box as a polygon of COCO."""
    return [[x, y, x + width, y, x + width, y + height, x, y + height]]


def test_outlines_outside_of_the_image_are_counted_or_refused(tmp_path):
    def read(*places):
        drawn = [
            {"image_id": 7, "category_id": 1, "segmentation": ring(*place)} for place in places
        ]
        (tmp_path / "c.json").write_text(json.dumps(coco(drawn)))
        return opened(tmp_path / "c.json")

    inside, outside, beyond = (10, 5, 20, 20), (200, 5, 20, 20), (50, 5, 40, 20)
    source = read(inside, outside, beyond, (-0.5, 0, 5, 40.5))
    assert source.notes == (
        "1 of 4 outlines lie outside of their images and are left out (a.png)",
        "1 of 4 outlines reach beyond the edges of their images and are cut there (a.png)",
    )
    assert (source.read_target(WHOLE)[5:25, 10:30] != 0).all()
    assert read(inside).notes == ()
    with pytest.raises(
        AnnotationError, match=r"all outlines of a\.png lie outside .* 40 x 60 pixels"
    ):
        read(outside, (0, 400, 20, 20))
    write_geojson(tmp_path / "q" / "a.geojson", [feature([box(100, 100, 9, 9)])])
    with pytest.raises(AnnotationError, match="lie outside of the image"):
        opened(tmp_path / "q")


def test_a_mask_of_two_images_of_one_name_is_refused(tmp_path):
    images = tuple(ImageRef(f"a.{kind}", "", SHAPE, None, "") for kind in ("jpg", "png"))
    save(tmp_path / "m" / "a_mask.png", np.zeros(SHAPE))
    with pytest.raises(
        ImageError, match=r"a_mask\.png could be that of a\.jpg or a\.png; give each"
    ):
        open_annotations(tmp_path / "m", images, SCHEMA, AnnotationOptions())


def test_masks_of_several_planes_are_noted(tmp_path):
    (tmp_path / "m").mkdir()
    stack = np.zeros((3, *SHAPE), np.uint8)
    tifffile.imwrite(tmp_path / "m" / "a.tif", stack, photometric="minisblack")
    assert "1 file holds several planes" in opened(tmp_path / "m").notes[0]


@pytest.mark.parametrize(
    ("image", "annotation", "words"),
    [
        ({}, {"category_id": 5}, "category"),
        ({}, {"segmentation": [[1, 2, 3]]}, "odd number"),
        ({}, runs_of([1, 1], [1]), "size"),
        ({}, runs_of([40, 60], [5]), "cover"),
        ({}, runs_of([40, 60], "\x00"), "read"),
        ({}, {"image_id": ...}, "lacks"),
        ({"height": 41}, {}, "41 x 60 but the image is 40 x 60"),
        ({"file_name": "../../z.png"}, {}, "none of the project's images"),
    ],
)
def test_broken_coco_is_one_clear_error(tmp_path, image, annotation, words):
    fine = {"id": 1, "image_id": 7, "category_id": 1, "segmentation": [[0, 0, 9, 0, 9, 9]]}
    spoiled = {key: value for key, value in (fine | annotation).items() if value is not ...}
    (tmp_path / "c.json").write_text(json.dumps(coco([spoiled], **image)))
    with pytest.raises(AnnotationError, match=words):
        opened(tmp_path / "c.json")


def test_run_lengths_know_their_bounds():
    mask = np.zeros((9, 11), bool)
    mask[2:5, 3:8] = True
    drawn = RunLengths(1, (9, 11), np.array(runs(mask)))
    assert drawn.bounds == (2, 3, 5, 8) and drawn.area == 15
    assert RunLengths(1, (9, 11), np.array([99])).bounds == (0, 0, 0, 0)


# --- archives, names, known data sets ------------------------------------------------------------


def test_archive_is_unpacked_and_bad_ones_write_nothing(tmp_path):
    good, out = tmp_path / "good.zip", tmp_path / "out"
    with zipfile.ZipFile(good, "w") as archive:
        archive.writestr("masks/a.png", b"x")
    out.mkdir()
    unpack_archive(good, out)
    assert (out / "masks" / "a.png").read_bytes() == b"x"

    link = zipfile.ZipInfo("link")
    link.external_attr = 0o120777 << 16
    for name in ("../evil.png", "/abs.png", "a/../../evil.png", "..\\evil.png", "C:evil.png", link):
        bad, empty = tmp_path / "bad.zip", tmp_path / "empty"
        empty.mkdir(exist_ok=True)
        with zipfile.ZipFile(bad, "w") as archive:
            archive.writestr("fine.png", b"x")
            archive.writestr(name, b"x")
        with pytest.raises(AnnotationError, match="leads outside"):
            unpack_archive(bad, empty)
        assert not list(empty.iterdir())
    assert not (tmp_path / "evil.png").exists()


def test_zip_bomb_and_rubbish_are_refused(tmp_path):
    bomb = tmp_path / "bomb.zip"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", b"\0" * 150_000_000)
    (tmp_path / "out").mkdir()
    with pytest.raises(AnnotationError, match="would grow"):
        unpack_archive(bomb, tmp_path / "out")
    (tmp_path / "rubbish.zip").write_bytes(b"PK rubbish")
    with pytest.raises(AnnotationError, match="cannot be unpacked"):
        unpack_archive(tmp_path / "rubbish.zip", tmp_path / "out")


def test_pseudonyms_find_their_masks(tmp_path):
    values = np.arange(40 * 60).reshape(SHAPE) % 3
    save(tmp_path / "m" / "a.png", values)
    source = RenamedImages(opened(tmp_path / "m"), {"image-001": "a.png", "image-002": "z.png"})
    assert source.image_ids == ("image-001",)
    ref = ImageRef("image-001", "", SHAPE, None, "")
    assert source.parts(ref) == (Region.whole("image-001", SHAPE),)
    assert (source.read_target(Region.whole("image-001", SHAPE)) == values).all()


def test_glas_is_recognised_by_its_names(tmp_path):
    for name in ("train_1", "train_2", "testA_1", "testB_1"):
        save(tmp_path / f"{name}.bmp", np.zeros((4, 5, 3)))
        save(tmp_path / f"{name}_anno.bmp", np.zeros((4, 5)))
    (tmp_path / "Grade.csv").write_text(
        "name,patient ID, grade (GlaS)\ntrain_1,4, benign\ntrain_2,5, benign\ntestA_1,4, benign\n"
    )
    ids = sorted(p.name for p in tmp_path.glob("*.bmp"))
    layout = recognise_layout(tmp_path, ids)
    assert layout.name == "GlaS" and layout.masks_dir == tmp_path
    assert layout.not_images == {i for i in ids if "_anno" in i}
    assert {i: (f.group, f.split) for i, f in layout.facts.items()} == {
        "train_1.bmp": ("4", "train"), "train_2.bmp": ("5", "train"),
        "testA_1.bmp": ("4", "test"), "testB_1.bmp": (None, "test"),
    }  # fmt: skip


def isic(folder, part="Training", names=("ISIC_0000001",)):
    """Write images and masks of ISIC 2017 in the official folders; return that of the images."""
    for name in names:
        save(folder / f"ISIC-2017_{part}_Data" / f"{name}.jpg", np.zeros((4, 5, 3)))
        truth = folder / f"ISIC-2017_{part}_Part1_GroundTruth"
        save(truth / f"{name}_segmentation.png", np.zeros((4, 5)))
    return folder / f"ISIC-2017_{part}_Data"


def pictures(folder):
    return sorted(
        p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.suffix in (".jpg", ".png")
    )


def test_isic_is_recognised_in_its_official_folders(tmp_path):
    data = isic(tmp_path)
    save(data / "ISIC_0000001_superpixels.png", np.zeros((4, 5, 3)))
    layout = recognise_layout(data, pictures(data))
    assert (layout.name, layout.masks_dir) == (
        "ISIC",
        data.with_name("ISIC-2017_Training_Part1_GroundTruth"),
    )
    assert layout.not_images == {"ISIC_0000001_superpixels.png"} and not layout.masks
    assert layout.facts["ISIC_0000001.jpg"].split is None  # one part alone is no split
    isic(tmp_path, "Test_v2", ["ISIC_0000002"])
    isic(tmp_path, "Validation", ["ISIC_0000003"])
    both = recognise_layout(tmp_path, pictures(tmp_path))
    assert {i.rpartition("/")[2]: f.split for i, f in both.facts.items()} == {
        "ISIC_0000001.jpg": "train", "ISIC_0000002.jpg": "test", "ISIC_0000003.jpg": "validation",
    }  # fmt: skip
    assert describe_splits(both.facts.values()) == "1 test, 1 train, 1 validation"
    assert len(both.masks) == 3 and len(both.not_images) == 4
    assert recognise_layout(data, ["holiday.jpg"]) is None


@pytest.mark.parametrize("folder", ["latest", "my_test_images", "Training", "ISIC-2017_Training"])
def test_names_like_those_of_isic_are_no_layout(tmp_path, folder):
    """Neither a split nor masks come out of folders that merely look so, or a table beside."""
    save(tmp_path / folder / "ISIC_0000001.jpg", np.zeros((4, 5, 3)))
    save(tmp_path / "labels" / "ISIC_0000001_segmentation.png", np.zeros((4, 5)))
    (tmp_path / "index.csv").write_text("image_id,split\nISIC_0000001,test\n")
    assert recognise_layout(tmp_path / folder, ["ISIC_0000001.jpg"]) is None
    assert recognise_layout(tmp_path, [f"{folder}/ISIC_0000001.jpg"]) is None


def test_names_like_those_of_glas_are_no_layout(tmp_path):
    names = ["train_1.bmp", "train_1_anno.bmp", "testA_1.bmp", "testA_1_anno.bmp"]
    for name in names:
        save(tmp_path / name, np.zeros((4, 5)))
    assert recognise_layout(tmp_path, names) is None  # no Grade.csv
    (tmp_path / "Grade.csv").write_text("name,patient ID\ntrain_1,1\ntestA_1,2\n")
    assert recognise_layout(tmp_path, names).name == "GlaS"
    assert recognise_layout(tmp_path, names[:3]) is None  # a mask is missing
    assert recognise_layout(tmp_path, [*names, "other.bmp"]) is None
    assert recognise_layout(tmp_path, [n.replace("bmp", "png") for n in names]) is None
    only = recognise_layout(tmp_path, names[2:])
    assert only.name == "GlaS" and only.facts["testA_1.bmp"].split is None


def test_instances_of_touching_glands_are_one_class(tmp_path):
    ids = components(np.kron(np.eye(3), np.ones((10, 20))).astype(int))[:, :60]
    two = LabelSchema.from_names(["background", "gland"])
    ref = ImageRef("g.png", "", ids.shape, None, "")
    save(tmp_path / "m" / "g.png", ids)
    source = open_annotations(tmp_path / "m", (ref,), two, AnnotationOptions())
    assert (source.read_target(Region.whole("g.png", ids.shape)) == (ids > 0)).all()
