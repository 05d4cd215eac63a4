"""Each reader on a tiny tree in the official layout."""

import json

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from napari_active_seg.errors import ConfigError, ImageError
from napari_active_seg.studies.datasets import READERS, get_dataset_reader
from napari_active_seg.studies.datasets.a2d2 import read_a2d2
from napari_active_seg.studies.datasets.driving import STREET_CLASSES

RNG = np.random.default_rng(0)


def write(path, array, palette=False):
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.fromarray(np.asarray(array, np.uint8))
    if palette:
        picture = picture.convert("P")
        picture.putdata(np.asarray(array, np.uint8).ravel().tolist())
        picture.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0])
    picture.save(path)


def rgb(shape=(12, 16)):
    return RNG.integers(0, 255, (*shape, 3))


def halves(left, right, shape=(12, 16)):
    array = np.full(shape, left, np.uint8)
    array[:, shape[1] // 2 :] = right
    return array


def colour_halves(left, right, shape=(12, 16)):
    array = np.empty((*shape, 3), np.uint8)
    array[:] = left
    array[:, shape[1] // 2 :] = right
    return array


def check(found, part, count, left, right):
    samples = found.parts[part]
    assert len(samples) == count
    truth = samples[0].truth()
    assert samples[0].image().shape == (*truth.shape, 3)
    assert (truth[0, 0], truth[0, -1]) == (left, right)
    return samples


# --- histology -----------------------------------------------------------------------------------


def test_glas_in_its_official_files(tmp_path):
    for name in ("train_2", "train_1", "testA_1", "testB_1"):
        write(tmp_path / f"{name}.bmp", rgb())
        write(tmp_path / f"{name}_anno.bmp", halves(0, 7))
    (tmp_path / "Grade.csv").write_text(
        "name,patient ID,grade (GlaS), grade (Sirinukunwattana et al. 2015)\n"
        "train_1,4, benign, adenomatous\ntrain_2,5, malignant, x\ntestA_1,4, benign, y\n"
    )
    found = get_dataset_reader("glas").open(tmp_path)
    samples = check(found, "train", 2, 0, 1)
    assert [(s.id, s.group, s.kind) for s in samples] == [
        ("train_1", "4", "benign"),
        ("train_2", "5", "malignant"),
    ]
    assert samples[0].objects().max() == 7
    check(found, "test", 1, 0, 1)
    check(found, "testB", 1, 0, 1)
    assert "shares 1 patients" in found.notes[0]


def test_glas_in_two_folders(tmp_path):
    write(tmp_path / "images" / "train_1.png", rgb())
    write(tmp_path / "instances" / "train_1.png", halves(3, 0))
    check(get_dataset_reader("glas").open(tmp_path), "train", 1, 1, 0)


@pytest.mark.parametrize(
    ("year", "folders"),
    [
        (2016, ("ISBI2016_ISIC_Part1_Training_Data", "ISBI2016_ISIC_Part1_Training_GroundTruth")),
        (2017, ("ISIC-2017_Training_Data", "ISIC-2017_Training_Part1_GroundTruth")),
        (2018, ("ISIC2018_Task1-2_Training_Input", "ISIC2018_Task1_Training_GroundTruth")),
    ],
)
def test_isic_challenges(tmp_path, year, folders):
    write(tmp_path / folders[0] / "ISIC_0000001.jpg", rgb())
    write(tmp_path / folders[0] / "ISIC_0000001_superpixels.png", rgb())
    ending = "_Segmentation" if year == 2016 else "_segmentation"
    write(tmp_path / folders[1] / f"ISIC_0000001{ending}.png", halves(0, 255))
    check(get_dataset_reader(f"isic{year}").open(tmp_path), "train", 1, 0, 1)


def test_isic_with_an_index(tmp_path):
    for name in ("ISIC_1", "ISIC_2"):
        write(tmp_path / "images" / f"{name}.jpg", rgb())
        write(tmp_path / "masks" / f"{name}_segmentation.png", halves(255, 0))
    (tmp_path / "index.csv").write_text(
        "image_id,split,diagnosis\nISIC_1,train,benign\nISIC_2,test,malignant\n"
    )
    found = get_dataset_reader("isic2016").open(tmp_path)
    assert check(found, "train", 1, 1, 0)[0].kind == "benign"
    check(found, "test", 1, 1, 0)


def test_bcss_crops_and_maps_22_codes_to_5(tmp_path):
    codes = np.full((1100, 600), 2)
    codes[:512, :256], codes[:512, 256:512] = 20, 0
    codes[512:1024, :512] = 0
    for name in ("TCGA-A1-A0SK-DX1_x", "TCGA-OL-A5D6-DX1_x"):
        write(tmp_path / "rgbs_colorNormalized" / f"{name}.png", rgb((1100, 600)))
        write(tmp_path / "masks" / f"{name}.png", codes)
    found = get_dataset_reader("bcss").open(tmp_path)
    (crop,) = found.parts["train"]
    truth = crop.truth()
    assert truth.shape == (512, 512) and crop.group == "TCGA-A1-A0SK"
    assert (truth[0, 0], truth[0, 300]) == (found.classes.index("tumour"), 255)
    assert len(found.parts["test"]) == 1  # an institute that is tested on


def test_monuseg_draws_its_outlines(tmp_path):
    folder = tmp_path / "MoNuSeg 2018 Training Data"
    for number in range(2):
        write(folder / "Tissue Images" / f"TCGA-18-5592-01Z-{number}.tif", rgb((40, 50)))
        rings = [[(5, 5), (5, 15), (15, 15), (15, 5)], [(20, 20), (20, 30), (35, 30), (35, 20)]]
        vertices = "".join(
            f"<Region Id='{k}'><Vertices>"
            + "".join(f"<Vertex X='{x}' Y='{y}'/>" for y, x in ring)
            + "</Vertices></Region>"
            for k, ring in enumerate(rings)
        )
        path = folder / "Annotations" / f"TCGA-18-5592-01Z-{number}.xml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(
            f"<Annotations><Annotation><Regions>{vertices}</Regions></Annotation></Annotations>"
        )
    found = get_dataset_reader("monuseg").open(tmp_path)
    assert (len(found.parts["train"]), len(found.parts["test"])) == (1, 1)
    ids = found.parts["train"][0].objects()
    assert set(np.unique(ids)) == {0, 1, 2} and ids[10, 10] == 1 and ids[30, 25] == 2
    assert (ids == 1).sum() == 11 * 11  # outlines run through the centres of pixels


def test_dsb2018_puts_its_masks_together(tmp_path):
    for number in range(6):
        home = tmp_path / "stage1_train" / f"image{number}"
        bright = 20 if number % 2 else 220
        write(home / "images" / f"image{number}.png", np.full((12, 16, 3), bright))
        write(home / "masks" / "a.png", halves(255, 0))
        write(home / "masks" / "b.png", halves(0, 255) * (np.arange(12)[:, None] < 3))
    found = get_dataset_reader("dsb2018").open(tmp_path)
    assert (len(found.parts["train"]), len(found.parts["test"])) == (4, 2)
    sample = found.parts["train"][0]
    assert np.unique(sample.objects()).tolist() == [0, 1, 2] and sample.kind == "fluorescent"


# --- natural images and streets ------------------------------------------------------------------


def write_voc(root):
    voc = root / "VOCdevkit" / "VOC2012"
    for name in ("a", "b", "c", "d"):
        write(voc / "JPEGImages" / f"{name}.jpg", rgb())
    for name in ("a", "c"):
        write(voc / "SegmentationClass" / f"{name}.png", halves(0, 2), palette=True)
    lists = voc / "ImageSets" / "Segmentation"
    lists.mkdir(parents=True)
    (lists / "train.txt").write_text("a\n")
    (lists / "val.txt").write_text("c\n")
    return voc


def test_voc_alone(tmp_path):
    write_voc(tmp_path)
    found = get_dataset_reader("voc").open(tmp_path)
    check(found, "train", 1, 0, 2)
    check(found, "test", 1, 0, 2)
    assert len(found.classes) == 21 and "Without" in found.notes[0]


def test_voc_with_the_extended_set_as_it_was_published(tmp_path):
    write_voc(tmp_path)
    folder = tmp_path / "benchmark_RELEASE" / "dataset" / "cls"
    folder.mkdir(parents=True)
    for name in ("a", "b", "c"):  # c is in VOC's val and must not be learned from
        savemat(folder / f"{name}.mat", {"GTcls": {"Segmentation": halves(0, 5)}})
    found = get_dataset_reader("voc").open(tmp_path)
    assert [s.id for s in found.parts["train"]] == ["a", "b"]
    assert [int(s.truth()[0, -1]) for s in found.parts["train"]] == [2, 5]  # VOC's own first


def test_voc_with_the_extended_set_as_pictures(tmp_path):
    voc = write_voc(tmp_path)
    for name in ("b", "c"):
        write(voc / "SegmentationClassAug" / f"{name}.png", halves(0, 9))
    found = get_dataset_reader("voc").open(tmp_path)
    assert [s.id for s in found.parts["train"]] == ["a", "b"]


def test_cityscapes_scores_19_of_its_ids(tmp_path):
    for part in ("train", "val"):
        name = "aachen_000000_000019_{}"
        write(
            tmp_path / "leftImg8bit" / part / "aachen" / (name.format("leftImg8bit") + ".png"),
            rgb(),
        )
        write(
            tmp_path / "gtFine" / part / "aachen" / (name.format("gtFine_labelIds") + ".png"),
            halves(7, 1),
        )
    found = get_dataset_reader("cityscapes").open(tmp_path)
    (sample,) = check(found, "train", 1, STREET_CLASSES.index("road"), 255)
    assert (sample.group, sample.frame) == ("aachen_000000", 19)
    check(found, "test", 1, 0, 255)


def test_camvid_in_its_usual_split(tmp_path):
    (tmp_path / "label_colors.txt").write_text("128 64 128\tRoad\n64 0 64\tTunnel\n0 0 0\tVoid\n")
    names = ("0006R0_f00930", "0016E5_07959", "0016E5_07960", "0001TP_008520", "0001TP_008550")
    for name in (*names, "Seq05VD_f00000"):
        write(tmp_path / "701_StillsRaw_full" / f"{name}.png", rgb())
        write(
            tmp_path / "LabeledApproved_full" / f"{name}_L.png",
            colour_halves((128, 64, 128), (0, 0, 0)),
        )
    found = get_dataset_reader("camvid").open(tmp_path)
    assert {k: [s.id for s in v] for k, v in found.parts.items()} == {
        "train": ["0001TP_008520", "0006R0_f00930", "0016E5_07960"],
        "val": ["0016E5_07959"],
        "test": ["0001TP_008550", "Seq05VD_f00000"],
    }
    check(found, "train", 3, found.classes.index("road"), 255)


def write_a2d2(root, sequences=3, frames=20):
    (root / "class_list.json").write_text(
        json.dumps({"#ff0000": "Car 1", "#c80000": "Car 2", "#ff00ff": "RD normal street",
                    "#808080": "Rain dirt"})
    )  # fmt: skip
    names = [f"2018080{k}_145028" for k in range(sequences)] + ["20180925_112730"]
    for name in names:
        short = name.replace("_", "")
        for frame in range(frames):
            end = f"frontcenter_{frame:09d}.png"
            write(root / name / "camera/cam_front_center" / f"{short}_camera_{end}", rgb())
            write(
                root / name / "label/cam_front_center" / f"{short}_label_{end}",
                colour_halves((200, 0, 0), (128, 128, 128)),
            )


def test_a2d2_maps_its_categories_and_holds_one_sequence_out(tmp_path):
    write_a2d2(tmp_path, frames=2)
    found = get_dataset_reader("a2d2").open(tmp_path)
    samples = check(found, "train", 6, STREET_CLASSES.index("car"), 255)
    assert [s.frame for s in samples] == [0, 1] * 3
    assert {s.group for s in found.parts["test"]} == {"20180925_112730"}


def test_a2d2_pools_have_runs_of_frames(tmp_path):
    write_a2d2(tmp_path)
    for pool, following in (("0f", 0), ("5f", 5), ("11f", 11)):
        samples = read_a2d2(tmp_path, pool=pool, size=24).parts["train"]
        places = [(s.group, s.frame) for s in samples]
        assert len(set(places)) == len(places) == 24
        neighbours = sum((g, f + 1) in places for g, f in places)
        assert neighbours >= 24 * following // (following + 1)
    again = read_a2d2(tmp_path, pool="5f", size=24).parts["train"]
    assert [s.id for s in again] == [
        s.id for s in read_a2d2(tmp_path, pool="5f", size=24).parts["train"]
    ]
    with pytest.raises(ConfigError, match="pool of A2D2"):
        read_a2d2(tmp_path, pool="7f")


def test_a2d2_pool_of_copies(tmp_path):
    write_a2d2(tmp_path, frames=4)
    samples = read_a2d2(tmp_path, pool="aug", size=12).parts["train"]
    assert len(samples) == 12 and len({s.id for s in samples}) == 12
    original, copy = samples[0], samples[1]
    assert copy.id.startswith(original.id) and copy.image().shape == original.image().shape
    assert (copy.image() != original.image()).any()
    assert np.array_equal(copy.image(), copy.image())
    left = (copy.truth() == STREET_CLASSES.index("car")).mean()
    assert 0.4 < left < 0.6  # most of it is what it was


# --- all of them ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", READERS)
def test_a_folder_without_the_data_says_where_they_are_to_be_had(name, tmp_path):
    reader = get_dataset_reader(name)
    with pytest.raises(ImageError) as error:
        reader.open(tmp_path)
    assert reader.source in str(error.value) and reader.terms in str(error.value)


def test_an_unknown_name_is_corrected():
    with pytest.raises(ConfigError, match="did you mean"):
        get_dataset_reader("glass")
