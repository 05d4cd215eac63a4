"""Benign and malignant, two digits on a graph, and the networks that they bring."""

import csv
import json

import numpy as np
import pytest
from PIL import Image
from tiny_mnist import N_TEST, silent, write_mnist

from napari_active_seg.errors import ConfigError, ImageError, ModelError
from napari_active_seg.learning import TorchImageNetworks
from napari_active_seg.studies.classification import (
    ClassificationArm,
    ClassificationStudy,
    finished_rounds,
    run_classification,
)
from napari_active_seg.studies.classification.isic_diagnosis import read_diagnoses
from napari_active_seg.studies.classification.learners import GraphLearner
from napari_active_seg.studies.classification.report import write_classification
from napari_active_seg.studies.classification.splits import ImagePool
from napari_active_seg.studies.classification.trainer import ImageTrainer
from napari_active_seg.studies.papers import Scale, image_study

NETWORKS = TorchImageNetworks("cpu")


@pytest.fixture
def root(tmp_path):
    return write_mnist(tmp_path / "mnist")


@pytest.fixture
def lesions(tmp_path):
    """A tree as our subset has it: pale benign squares, dark malignant ones."""
    folder = tmp_path / "lesions"
    (folder / "images").mkdir(parents=True)
    rng = np.random.default_rng(0)
    with (folder / "index.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("image_id", "split", "diagnosis"))
        for number in range(60):
            bad = number % 4 == 0
            pixels = rng.integers(0, 60, (20, 24, 3)) + (20 if bad else 150)
            name = f"ISIC_{number:07d}"
            Image.fromarray(pixels.astype(np.uint8)).save(folder / "images" / f"{name}.png")
            writer.writerow((name, "train", "malignant" if bad else "benign"))
    return folder


def small_melanoma(folder, **more):
    asked = image_study("melanoma", folder, Scale.SMALL, (0, 1))
    settings = {
        "start_by_class": (6, 2), "test_by_class": (6, 6), "side": 32, "batch": 8, "rounds": 2,
        "epochs": 2,
    }  # fmt: skip
    return asked.parse(**{**asked.model_dump(), **settings, **more})


def test_lesions_are_read_in_both_layouts(lesions, tmp_path):
    pool = read_diagnoses(lesions, side=16)
    assert pool.images.shape == (60, 16, 16, 3) and pool.labels.sum() == 15
    assert pool.images[pool.labels == 1].mean() < pool.images[pool.labels == 0].mean()
    official = tmp_path / "official"
    (lesions / "images").rename(tmp_path / "x")
    official.mkdir()
    (tmp_path / "x").rename(official / "ISBI2016_ISIC_Part3_Training_Data")
    table = official / "ISBI2016_ISIC_Part3_Training_GroundTruth.csv"
    table.write_text("ISIC_0000000,malignant\nISIC_0000001,benign\n")
    assert read_diagnoses(official, side=16).labels.tolist() == [1, 0]
    table.write_text("ISIC_0000000,perhaps\n")
    with pytest.raises(ImageError, match="'perhaps'"):
        read_diagnoses(official, side=16)
    table.write_text("ISIC_1234567,benign\n")
    with pytest.raises(ImageError, match="no picture"):
        read_diagnoses(official, side=16)
    with pytest.raises(ImageError, match=r"index\.csv"):
        read_diagnoses(tmp_path, side=16)


@pytest.mark.slow
def test_melanoma_ranks_lesions_counts_positives_and_says_what_it_is_not(lesions, tmp_path):
    asked, out = small_melanoma(lesions), tmp_path / "out"
    run_classification(asked, out, NETWORKS, on_progress=silent)
    rounds = finished_rounds(asked, out)
    first = [f for f in rounds if f["round"] == 0 and f["arm"] != "all"]
    assert {f["positives"] for f in first} == {2} and {f["images"] for f in first} == {8}
    for seed in (0, 1):
        start = {f["arm"]: f["auc"] for f in first if f["seed"] == seed}
        assert len({round(a, 9) for a in start.values()}) == 1  # arms share their first model
    (reference,) = [f for f in rounds if f["arm"] == "all" and f["seed"] == 0]
    assert reference["images"] == 48 and reference["positives"] == 9
    assert all(0 <= f["auc"] <= 1 for f in rounds)
    page = write_classification(asked, rounds, out, device="cpu")._repr_html_()
    assert "Another study than the paper" in page
    assert page.count("research use, not a diagnosis") >= 5
    assert "Test split 1, seeds 0:" in page and "Test split 2, seeds 1:" in page
    own = [f"{f['auc']:.3g}" for f in rounds if (f["arm"], f["seed"]) == ("varratio", 1)]
    cells = "".join(f"<td>{auc}</td>" for auc in own)
    assert f"<td>varratio</td><td>AUC</td>{cells}" in page[page.index("Test split 2") :]
    ties = page[page.index("How much of the pool ties") :]
    assert "<td>bald</td>" in ties and "<td>random</td>" not in ties
    results = json.loads((out / "results.json").read_text())
    assert {"auc", "positives", "distinct"} <= set(results["rounds"][0])


def test_seeds_share_test_splits_and_positives_are_flipped(lesions):
    pool = read_diagnoses(lesions, side=16)
    one, again = (pool.with_drawn_test((6, 6), seed=3) for _ in range(2))
    assert (one.test_images == again.test_images).all() and one.test_labels.sum() == 6
    assert len(one.labels) == 48
    with pytest.raises(ConfigError, match="malignant has 15 images"):
        pool.with_drawn_test((6, 16), seed=3)
    asked = small_melanoma(lesions)
    trainer = ImageTrainer(asked, one, asked.arms[0], 0, NETWORKS)
    places = np.array([int(np.flatnonzero(one.labels == 1)[0]), 0])
    images, labels = trainer._shown(places)
    assert labels.tolist().count(1) == 4 and len(images) == 5
    flipped = {images[k].tobytes() for k in range(5) if labels[k] == 1}
    whole = one.images[places[0]]
    assert flipped == {
        np.ascontiguousarray(v).tobytes()
        for v in (whole, whole[::-1], whole[:, ::-1], whole[::-1, ::-1])
    }


def test_graph_learner_finds_two_clusters_and_asks_between_them():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 60, (40, 8, 8, 1)).astype(np.uint8)
    images[:20, :4] += 30
    images[20:, 4:] += 30
    labels = np.repeat([0, 1], 20).astype(np.uint8)
    pool = ImagePool(("a", "b"), images, labels, images, labels)

    def rows(stack):
        return stack.reshape(len(stack), -1) / 255.0

    labelled = np.array([0, 20])
    learner = GraphLearner(
        rows(pool.images),
        rows,
        labelled=labelled,
        open_places=np.setdiff1d(np.arange(40), labelled),
        labels=labels[labelled],
    )
    said = learner.predict(images)
    assert (said.mean_p.argmax(0)[:, 0] == labels).all()
    worth = learner.worth(np.array([3, 25]))
    assert worth.shape == (2,) and np.isfinite(worth).all() and (worth < 0).all()


def test_labels_go_along_a_chain_of_neighbours_where_nearer_images_are_of_the_other_class():
    angles = np.linspace(0, np.pi, 30)
    upper = np.stack([np.cos(angles), np.sin(angles)], 1)
    lower = np.stack([1 - np.cos(angles), 0.4 - np.sin(angles)], 1)
    rows = np.concatenate([upper, lower])  # two moons
    truth = np.repeat([0, 1], 30)
    labelled = np.array([0, 59])
    learner = GraphLearner(
        rows,
        lambda images: rows[images.ravel()],
        labelled=labelled,
        open_places=np.setdiff1d(np.arange(60), labelled),
        labels=truth[labelled],
    )
    said = learner.predict(np.arange(60, dtype=np.uint8))
    assert (said.mean_p.argmax(0)[:, 0] == truth).mean() > 0.95
    apart = ((rows[:, None] - rows[None, labelled]) ** 2).sum(2).argmin(1)
    assert (apart == truth).mean() < 0.9  # the nearest label alone does not tell


@pytest.mark.slow
def test_two_digits_run_with_graphs_beside_networks(root, tmp_path):
    asked = image_study("mnist-two-digits", root, Scale.SMALL, (0,))
    small = {
        "pool": 12,
        "validation": 0,
        "rounds": 2,
        "batch": 2,
        "steps": 20,
        "start_per_class": 1,
    }
    asked = asked.parse(**{**asked.model_dump(), **small})
    run_classification(asked, tmp_path / "out", NETWORKS, on_progress=silent)
    rounds = finished_rounds(asked, tmp_path / "out")
    assert {f["arm"] for f in rounds} == {"bald", "varratio", "maxent", "random", "mbr", "mbr-cnn"}
    assert all(f["images"] == 2 + 2 * f["round"] for f in rounds)
    mbr = [f for f in rounds if f["arm"] == "mbr"]
    assert mbr[-1]["error"] <= 0.25  # of easy squares


def test_pool_of_some_classes_is_numbered_anew(root):
    from napari_active_seg.studies.classification.mnist import read_mnist

    pool = read_mnist(root).of_classes((4, 9))
    assert pool.classes == ("4", "9") and set(pool.labels) == {0, 1}
    assert len(pool.test_labels) == N_TEST // 5


def test_a_reference_is_done_after_its_one_round(root, tmp_path):
    arms = (ClassificationArm(name="all", measure="all", passes=2),)
    asked = ClassificationStudy.parse(
        name="t", title="Tiny", root=root, arms=arms, steps=5,
        start_per_class=1, validation=10, rounds=2, pool=60,
    )  # fmt: skip
    run_classification(asked, tmp_path / "out", NETWORKS, on_progress=silent)
    (facts,) = finished_rounds(asked, tmp_path / "out")
    assert facts["images"] == 70 and facts["asked"] == []
    run_classification(asked, tmp_path / "out", NETWORKS, on_progress=silent)
    assert len(finished_rounds(asked, tmp_path / "out")) == 1


@pytest.mark.parametrize("name", ["vgg16", "vgg16-small"])
def test_vgg_draws_its_dropout_once_a_pass_and_takes_published_weights(name, tmp_path):
    torch = pytest.importorskip("torch")
    from napari_active_seg.learning.classification import build_classifier
    from napari_active_seg.learning.classification.vgg import Vgg16

    if name == "vgg16":  # as large as torchvision's
        torchvision = pytest.importorskip("torchvision")
        theirs = torchvision.models.vgg16().state_dict()
        own = Vgg16(1000).state_dict()
        names = {"features.": "body.", "classifier.": "head."}
        shapes = {}
        for key, value in theirs.items():
            for old, new in names.items():
                key = key.replace(old, new, 1) if key.startswith(old) else key
            shapes[key] = value.shape
        assert shapes == {key: value.shape for key, value in own.items()}
        return
    made = build_classifier(name, shape=(32, 32, 3), n_classes=2, seed=0, device="cpu")
    images = np.random.default_rng(0).integers(0, 255, (3, 32, 32, 3), np.uint8)
    plain = made.predict(images, passes=0, seed=0, check_cancelled=lambda: None)
    drawn = made.predict(images, passes=6, seed=0, check_cancelled=lambda: None)
    assert plain.mean_p.shape == (2, 3, 1) and drawn.n == 6
    assert not np.allclose(drawn.mean_p, plain.mean_p)
    with pytest.raises(ModelError):
        build_classifier(
            name, shape=(32, 32, 3), n_classes=2, seed=0, weights="pretrained", device="cpu"
        )
    del torch


def test_weights_of_a_classifier_fill_all_but_its_last_layer(tmp_path):
    torch = pytest.importorskip("torch")
    from napari_active_seg.learning.classification.vgg import Vgg16
    from napari_active_seg.learning.weights import fill_features

    with torch.random.fork_rng():
        torch.manual_seed(1)
        theirs = Vgg16(1000, width=0.0625, side=1)
    stored = {
        n.replace("body.", "features.").replace("head.", "classifier."): v
        for n, v in theirs.state_dict().items()
    }
    torch.save(stored, tmp_path / "vgg.pth")
    ours = Vgg16(2, width=0.0625, side=1)
    last = ours.head[-1].weight.clone()
    names = {"features.": "body.", "classifier.": "head."}
    fill_features(ours, tmp_path / "vgg.pth", names)
    assert torch.equal(ours.body[0].weight, theirs.body[0].weight)
    assert torch.equal(ours.head[0].weight, theirs.head[0].weight)
    assert torch.equal(ours.head[-1].weight, last)
    stored.pop("features.0.weight")
    torch.save(stored, tmp_path / "part.pth")
    with pytest.raises(ModelError, match=r"1 parameters are missing.*body\.0\.weight"):
        fill_features(ours, tmp_path / "part.pth", names)
