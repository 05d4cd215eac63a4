"""Studies of whole images: the draw, the rounds, going on, and what is written."""

import gzip
import json

import numpy as np
import pytest
from tiny_mnist import N_TRAIN, silent, write_mnist

from napari_active_seg.errors import BadInputError, ConfigError, ImageError
from napari_active_seg.figures import Report
from napari_active_seg.learning import TorchImageNetworks
from napari_active_seg.studies.classification import (
    ClassificationArm,
    ClassificationStudy,
    finished_rounds,
    run_classification,
)
from napari_active_seg.studies.classification.arm import choose_images
from napari_active_seg.studies.classification.cost_report import add_costs
from napari_active_seg.studies.classification.image_cost import learned_costs, true_costs
from napari_active_seg.studies.classification.mnist import read_mnist
from napari_active_seg.studies.classification.report import write_classification
from napari_active_seg.studies.classification.rounds import first_to_reach
from napari_active_seg.studies.classification.settings import ImageCosts
from napari_active_seg.studies.classification.splits import drawn_places, shown_places
from napari_active_seg.studies.papers import Scale, image_study
from napari_active_seg.uncertainty import MomentStream


@pytest.fixture
def root(tmp_path):
    return write_mnist(tmp_path / "mnist")


def study(root, **more):
    arms = (
        ClassificationArm(name="bald", measure="bald", passes=4),
        ClassificationArm(name="random", measure="random", passes=4),
    )
    settings = {
        "name": "t", "title": "Tiny", "root": root, "arms": arms, "start_per_class": 1,
        "validation": 10, "batch": 5, "rounds": 2, "steps": 60, "pool": 60,
    }  # fmt: skip
    return ClassificationStudy.parse(**(settings | more))


NETWORKS = TorchImageNetworks("cpu")


class Told:
    """A classifier that is sure of everything but the images that are bright on average."""

    def __init__(self, log, network, *, shape, n_classes, seed, weights):
        self.log, self.n_classes, self.seed = log, n_classes, seed

    def train(self, images, labels, *, plan, check_cancelled, without_labels=None):
        self.log.append((self.seed, len(images), plan.decay))
        return (1.0, 0.5)

    def predict(self, images, *, passes, seed, check_cancelled):
        stream = MomentStream()
        doubt = images.mean(axis=(1, 2, 3)) / 255
        for turn in range(max(passes, 1)):
            probs = np.full((self.n_classes, len(images), 1), 1e-3)
            probs[turn % 2 if passes else 0, :, 0] += doubt
            probs[0, :, 0] += 1 - doubt
            stream.add(probs / probs.sum(axis=0))
        return stream.moments()


class Fakes:
    """Makes classifiers that are told, and learns that each image costs the mean."""

    def __init__(self, log):
        self.log = log

    def build(self, network, **how):
        return Told(self.log, network, **how)

    def fit_cost(self, examples, *, seed, check_cancelled):
        mean = np.mean([example.spent for example in examples])
        return lambda views: np.full(len(views), mean), np.full(len(examples), mean)


def told_study(root, out, log, **more):
    asked = study(root, **more)
    run_classification(asked, out, Fakes(log), on_progress=silent)
    return asked, finished_rounds(asked, out)


def test_the_draw_is_balanced_and_nothing_is_in_two_places():
    labels = np.random.default_rng(1).integers(0, 10, 500).astype(np.uint8)
    one = drawn_places(labels, per_class=2, validation=25, pool=100, seed=3)
    assert np.bincount(labels[one.start]).tolist() == [2] * 10
    assert np.bincount(labels[one.validation], minlength=10).min() >= 2
    assert len(one.validation) == 25 and len(one.open) == 100
    together = np.concatenate([one.start, one.validation, one.open])
    assert len(set(together.tolist())) == len(together)
    again = drawn_places(labels, per_class=2, validation=25, pool=100, seed=3)
    assert (again.open == one.open).all()
    other = drawn_places(labels, per_class=2, validation=25, pool=100, seed=4)
    assert set(other.start.tolist()) != set(one.start.tolist())
    with pytest.raises(ConfigError, match="images left"):
        drawn_places(labels, per_class=400, validation=0, pool=0, seed=0)


def test_the_most_doubtful_are_asked_and_equals_are_drawn():
    rng = np.random.default_rng
    assert set(choose_images(np.array([0.0, 3, 1, 2]), 2, rng(0)).tolist()) == {1, 3}
    drawn = [tuple(choose_images(np.zeros(50), 3, rng(seed)).tolist()) for seed in range(5)]
    assert len(set(drawn)) == 5


def test_arms_share_their_start_and_go_apart(root, tmp_path):
    log = []
    _, rounds = told_study(root, tmp_path / "out", log, decays=(1.0, 2.0))
    bald, drawn = ([f for f in rounds if f["arm"] == name] for name in ("bald", "random"))
    assert [f["images"] for f in bald] == [10, 15, 20]
    assert bald[0]["error"] == drawn[0]["error"]
    assert bald[0]["asked"] != drawn[0]["asked"]
    assert len({i for facts in bald for i in facts["asked"]}) == 15
    pool = read_mnist(root)
    open_places = drawn_places(pool.labels, per_class=1, validation=10, pool=60, seed=0).open
    brightness = pool.images[open_places].mean(axis=(1, 2, 3))
    assert set(bald[0]["asked"]) == set(open_places[np.argsort(-brightness)[:5]].tolist())
    assert bald[0]["asked_classes"] == pool.labels[bald[0]["asked"]].tolist()


def test_a_stopped_study_goes_on_and_is_the_same(root, tmp_path):
    _, whole = told_study(root, tmp_path / "whole", [])
    path = tmp_path / "cut" / "arms" / "bald" / "seed-0" / "rounds.jsonl"
    told_study(root, tmp_path / "cut", [], rounds=1)
    lines = path.read_text().splitlines(keepends=True)
    path.write_text(lines[0] + lines[1][:20])  # killed while it wrote
    log = []
    _, cut = told_study(root, tmp_path / "cut", log)
    strip = [{k: v for k, v in f.items() if k != "seconds"} for f in cut]
    assert strip == [{k: v for k, v in f.items() if k != "seconds"} for f in whole]
    assert 0 < len(log) < 6
    with pytest.raises(BadInputError, match="other settings"):
        told_study(root, tmp_path / "cut", [], batch=4)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "a.txt").write_text("mine")
    with pytest.raises(BadInputError, match="not empty"):
        told_study(root, tmp_path / "mine", [])


@pytest.mark.slow
def test_the_real_network_learns_and_is_the_same_side_by_side(root, tmp_path):
    asked = study(root, rounds=1)
    run_classification(asked, tmp_path / "a", NETWORKS, on_progress=silent)
    run_classification(asked, tmp_path / "b", NETWORKS, workers=2, on_progress=silent)
    one, two = (finished_rounds(asked, tmp_path / name) for name in "ab")
    assert one[-1]["error"] < 0.5  # of ten classes
    for mine, other in zip(one, two, strict=True):
        assert mine["asked"] == other["asked"] and mine["error"] == other["error"]


def test_bald_of_a_plain_network_is_nothing(root):
    pool = read_mnist(root)
    model = NETWORKS.build("bayesian-cnn", shape=pool.shape, n_classes=10, seed=0)
    plain = model.predict(pool.images, passes=0, seed=0, check_cancelled=silent)
    from napari_active_seg.uncertainty import get_measure

    assert get_measure("bald").compute(plain).max() == 0
    drawn = model.predict(pool.images, passes=5, seed=0, check_cancelled=silent)
    assert get_measure("bald").compute(drawn).max() > 0
    again = model.predict(pool.images, passes=5, seed=0, check_cancelled=silent)
    assert (again.mean_p == drawn.mean_p).all()
    assert drawn.mean_p.shape == (10, N_TRAIN, 1)
    part = model.predict(pool.images[30:70], passes=5, seed=0, check_cancelled=silent)
    np.testing.assert_allclose(part.mean_p, drawn.mean_p[:, 30:70], atol=1e-6)  # one draw a pass


def test_a_draw_of_the_weights_leaves_out_as_much_as_dropout_does(root):
    import torch

    from napari_active_seg.learning.classification.bayesian_cnn import BayesianCnn
    from napari_active_seg.learning.classification.dropout_weights import sample_weights

    torch.manual_seed(0)
    network = BayesianCnn((14, 14, 1), 10)
    features = torch.rand(4, network.dense.in_features)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        drawn = [sample_weights(network.head, generator)(features) for _ in range(4000)]
        drawn = torch.stack(drawn)
        network.train()
        own = torch.stack([network.head(features) for _ in range(4000)])
    torch.testing.assert_close(drawn.mean(0), own.mean(0), atol=0.025, rtol=0)
    torch.testing.assert_close(drawn.std(0), own.std(0), atol=0.025, rtol=0)


def test_tables_and_page(root, tmp_path):
    out = tmp_path / "out"
    asked, rounds = told_study(root, out, [], seeds=(0, 1), paper="mnist", levels=(0.95, 0.0))
    write_classification(asked, rounds, out, device="cpu")
    assert "NaN" not in (out / "results.json").read_text()  # other readers refuse it
    results = json.loads((out / "results.json").read_text())
    assert set(results["seconds of a seed"]) == {"0", "1"}
    assert str(tmp_path) not in (out / "results.json").read_text()
    reached = results["images to reach an error of"]["bald"]
    assert (reached["95%"]["mean"], reached["95%"]["n"]) == (10.0, 2)
    assert reached["0%"]["n"] == 0
    assert results["images over those of random"]["bald"]["95%"]["n"] == 2
    assert "Gal et al. 2017" in (out / "report.html").read_text(encoding="utf-8")
    assert len((out / "curves.csv").read_text().splitlines()) == 1 + 2 * 2 * 3
    assert first_to_reach(rounds, "bald", -1) == {0: None, 1: None}


def test_a_stream_shows_nothing_twice_until_all_was_shown(root, tmp_path):
    labels = read_mnist(root).labels
    places = drawn_places(labels, per_class=1, validation=10, pool=60, seed=0)
    none = np.empty(0, np.int64)
    steps = [shown_places(places, none, stream=20, step=k, seed=0) for k in range(4)]
    assert sorted(np.concatenate(steps[:3]).tolist()) == sorted(places.open.tolist())
    assert steps[3].tolist() == steps[0].tolist()
    left = shown_places(places, steps[0][:5], stream=20, step=3, seed=0)
    assert left.tolist() == steps[0][5:].tolist()
    _, rounds = told_study(root, tmp_path / "out", [], stream=20)
    for facts in rounds:
        shown = shown_places(places, none, stream=20, step=facts["round"], seed=0)
        assert set(facts["asked"]) <= set(shown.tolist())


def test_each_step_chooses_from_a_draw_of_those_that_wait(root, tmp_path):
    labels = read_mnist(root).labels
    places = drawn_places(labels, per_class=1, validation=10, pool=60, seed=0)
    taken = places.open[:5]
    steps = [
        shown_places(places, taken, stream=0, candidates=20, step=k, seed=0) for k in (0, 1, 0)
    ]
    assert [len(np.unique(shown)) for shown in steps] == [20, 20, 20]
    assert steps[0].tolist() == steps[2].tolist() != steps[1].tolist()
    assert not set(steps[0]) & set(taken)
    assert len(shown_places(places, taken, stream=0, candidates=900, step=0, seed=0)) == 55
    _, rounds = told_study(root, tmp_path / "out", [], candidates=20)
    for facts in rounds[::3]:
        asked = set(facts["asked"])
        everything = np.empty(0, np.int64)
        step = {"step": facts["round"], "seed": facts["seed"]}
        if facts["round"] == 0:
            shown = shown_places(places, everything, stream=0, candidates=20, **step)
            assert asked <= set(shown.tolist())


def test_fewer_test_images_are_drawn_from_all_of_them(root):
    pool = read_mnist(root)
    few = pool.with_test(len(pool.test_labels) // 2)
    assert few.test_labels.tolist() == pool.test_labels[::2][: len(few.test_labels)].tolist()
    assert (few.test_images == pool.test_images[::2][: len(few.test_images)]).all()
    assert pool.with_test(0) is pool


def cost_arms():
    shared = {"measure": "bald", "passes": 4}
    return (
        ClassificationArm(name="dear", **shared),
        ClassificationArm(name="cheap", beta=0.5, **shared),
        ClassificationArm(name="learned", beta=0.5, costs="learned", **shared),
    )


def test_what_costs_less_is_asked_for_and_costs_are_learned(root, tmp_path):
    costs = {"base": [1000.0] * 5 + [1.0] * 5}
    _, rounds = told_study(root, tmp_path / "out", [], costs=costs, arms=cost_arms())
    last = {facts["arm"]: facts for facts in rounds}
    assert last["cheap"]["cost"] < last["dear"]["cost"]
    assert all(value >= 5 for facts in rounds if facts["arm"] == "cheap"
               for value in facts["asked_classes"])  # fmt: skip
    assert last["learned"]["asked"] == last["dear"]["asked"]  # the fake finds all equally dear
    assert last["learned"]["cost_error"] > 0 and "cost_error" not in last["cheap"]


def test_a_cost_is_that_of_the_class_and_the_outline():
    images = np.zeros((2, 12, 12, 1), np.uint8)
    images[0, 2:6, 2:6] = 200
    found = true_costs(images, np.array([1, 0], np.uint8), ImageCosts(base=(5.0, 7.0)))
    assert found.tolist() == [7 + 12, 5]


def test_the_network_of_regions_learns_what_images_cost():
    rng = np.random.default_rng(0)
    images = np.zeros((80, 14, 14, 1), np.uint8)
    sides = rng.integers(2, 12, 80)
    for image, side in zip(images, sides, strict=True):
        image[:side, :side] = 220
    spent = 10.0 + 8 * sides
    thought = learned_costs(NETWORKS, images[:60], spent[:60], images[60:], seed=0)
    assert np.corrcoef(thought, spent[60:])[0, 1] > 0.8


def test_the_page_of_costs(root, tmp_path):
    out = tmp_path / "out"
    arms = (*cost_arms(), ClassificationArm(name="random", measure="random", passes=4))
    asked, rounds = told_study(root, out, [], costs={"base": [1.0] * 10}, arms=arms)
    write_classification(asked, rounds, out, device="cpu")
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "learned less true" in page and "over those that random needs" in page
    charts = {path.name[3:] for path in (out / "figures").iterdir()}
    assert "what-was-paid-and-what-was-had-for-it-mean-and-deviation-ove.png" in charts


def test_costs_are_told_after_half_of_the_steps_and_over_those_of_random(tmp_path):
    arms = tuple(ClassificationArm(name=n, measure="random", passes=1) for n in ("random", "ours"))
    asked = ClassificationStudy.parse(name="t", title="T", arms=arms, rounds=2, levels=(0.2,))
    rounds = [
        {"arm": arm, "seed": seed, "round": number, "images": 10 * number, "share": 0.1,
         "cost": cost * number, "error": 0.3 - 0.1 * number, "ece": 0.0}
        for arm, cost in (("random", 100), ("ours", 50)) for seed in (0, 1) for number in (0, 1, 2)
    ]  # fmt: skip
    page = Report("T", "")
    add_costs(page, asked, rounds, ["random", "ours"])
    page.write_all(tmp_path)
    text = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert "| ours | 50 ± 0 | 20.00 ± 0.00 | 100 ± 0 | 10.00 ± 0.00 |" in text
    assert "| ours | 0.50 ± 0.00 | 0.50 ± 0.00 | 0.50 ± 0.00 |  |" in text
    assert first_to_reach(rounds, "ours", 0.15, paid="cost") == {0: 100.0, 1: 100.0}


@pytest.mark.parametrize("scale", list(Scale))
@pytest.mark.parametrize("variant", ["", "cost"])
def test_the_stream_as_settings(tmp_path, scale, variant):
    asked = image_study("mnist-stream", tmp_path, scale, (0,), variant)
    assert (asked.costs is not None) == bool(variant)
    assert {arm.beta for arm in asked.arms} == ({0, 0.1, 0.2, 0.3, 0.5} if variant else {0})
    if scale is Scale.FULL:
        assert asked.rounds == (98 if variant else 48) and asked.stream == 1000


@pytest.mark.parametrize("scale", list(Scale))
def test_the_second_table_as_settings(tmp_path, scale):
    asked = image_study("mnist", tmp_path, scale, (0, 1, 2), "thousand")
    assert 10 * asked.start_per_class + asked.rounds * asked.batch == 1000
    assert asked.validation == 5000
    assert [arm.name for arm in asked.arms] == ["bald", "varratio", "maxent", "random"]


@pytest.mark.parametrize("scale", list(Scale))
@pytest.mark.parametrize("variant", ["", "deterministic"])
def test_the_paper_as_settings(tmp_path, scale, variant):
    asked = image_study("mnist", tmp_path, scale, (0, 1, 2), variant)
    assert asked.batch == 10 and asked.validation == 100 and asked.start_per_class == 2
    assert any(arm.passes == 0 for arm in asked.arms) == bool(variant)
    if scale is Scale.FULL:
        assert asked.rounds == 100 and asked.pool == 0
    else:
        assert 10 * asked.start_per_class + asked.rounds * asked.batch == 300
    with pytest.raises(ConfigError, match="deterministic"):
        image_study("mnist", tmp_path, scale, (0,), "determinstic")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("train-images-idx3-ubyte.gz", None, "is not in"),
        ("train-images-idx3-ubyte.gz", b"no zip", "unpacked"),
        ("train-labels-idx1-ubyte.gz", gzip.compress(b"x" * 40), "begin"),
        (
            "t10k-labels-idx1-ubyte.gz",
            gzip.compress(np.array([2049, 500], ">u4").tobytes() + b"x"),
            "should hold",
        ),
    ],
    ids=["missing", "not-packed", "other-numbers", "too-short"],  # a packed file holds the time
)
def test_files_that_are_not_mnist_are_named(root, name, content, words):
    if content is None:
        (root / name).unlink()
    else:
        (root / name).write_bytes(content)
    with pytest.raises(ImageError, match=words):
        read_mnist(root)


def test_from_the_command_line(root, tmp_path, monkeypatch, capsys):
    from napari_active_seg.cli import main

    monkeypatch.setattr("sys.argv", ["napari-active-seg"])
    words = ["reproduce", "mnist", "--data", str(root), "--out", str(tmp_path / "out")]
    words += ["--seeds", "0", "--arms", "bald", "--set", "rounds=1", "--set", "steps=5"]
    words += ["--set", "validation=10", "--set", "decays=[0.0]", "--workers", "1", "--json"]
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code in (0, None)
    told = json.loads(capsys.readouterr().out)
    assert set(told["images"]) == {"bald"}
    assert (tmp_path / "out" / "figures").is_dir()
    ran_on = json.loads((tmp_path / "out" / "results.json").read_text())["device"]
    with pytest.raises(SystemExit) as ended:
        main([*words[:-1], "--only-report", "--set", "levels=[0.999, 0.0001]"])
    assert ended.value.code in (0, None)
    said = capsys.readouterr().out
    assert "bald: 20 images to 100% error, 0% error not reached, " in said
    assert "% error at the end" in said
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    assert results["device"] == ran_on and "1 side by side" in ran_on
