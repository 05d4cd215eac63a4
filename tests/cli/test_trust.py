"""Verbs of trust on the command line, over a small network and a small pool."""

import csv
import json

import pytest
from tiny_data import write_pool


@pytest.fixture
def trained(run, tmp_path):
    """A project with three labelled validation images, one for test, and one model."""
    pool = write_pool(tmp_path / "nine", 9)
    folder = tmp_path / "p"
    made = run(
        "init", folder, "--images", pool / "images", "--classes", "background,disk",
        "--masks", pool / "masks", "--val-fraction", "0.34", "--test-fraction", "0.12",
    )  # fmt: skip
    assert made[0] == 0
    assert run("config", folder, "--set", "samples=4")[0] == 0
    assert run("propose", folder, "--count", 4, "--size", 32)[0] == 0
    assert run("label", folder, "--from-masks", pool / "masks")[0] == 0
    assert run("train", folder, "--epochs", 6)[0] == 0
    return folder


def test_calibration_is_judged_used_and_taken_back(run, trained):
    code, out, _ = run("calibrate", trained, "--use", "temperature", "--json")
    facts = json.loads(out)
    assert code == 0 and facts["images"] == 3
    assert set(facts["methods"]) == {"temperature", "vector", "platt"}
    assert facts["in_use"].startswith("temperature")
    assert {"nll", "brier", "ece"} == set(facts["plain"])
    code, out, _ = run("propose", trained, "--count", 2, "--size", 24, "--json")
    assert any("calibrated probabilities" in note for note in json.loads(out)["notes"])
    assert json.loads(run("calibrate", trained, "--back", "--json")[1]) == {"in_use": None}
    assert json.loads(run("trust", trained, "--json")[1])["calibration"] is None
    code, _, err = run("calibrate", trained, "--use", "tempreture")
    assert code == 2 and "temperature" in err
    assert run("calibrate", trained, "--use", "best", "--back")[0] == 2


def test_trust_says_what_is_known_and_from_which_labels(run, trained):
    code, out, _ = run("trust", trained, "--test", "--leaks", "--json")
    facts = json.loads(out)
    assert code == 0
    sources = {row["labels"]: row for row in facts["scoreboard"]}
    assert {"validation", "test"} <= set(sources)
    known = sources["validation"]["figures"]["accuracy"]
    assert known["low"] <= known["value"] <= known["high"]
    assert facts["label_on"]["verdict"] == "unclear"
    assert "near copies" in facts["leaks"] or "look the same" in facts["leaks"]
    code, out, _ = run("trust", trained)
    assert code == 0 and "m001 on validation (3 on 3 images): accuracy" in out
    code, out, _ = run("trust", trained, "--compare", "--leaks")
    assert code == 0 and "near copies" in out
    assert "not known yet (--compare): two models of the same classes are needed" in out
    facts = json.loads(run("trust", trained, "--compare", "--json")[1])
    assert list(facts["not_known_yet"]) == ["compare"]


def test_trust_begins_with_a_short_answer_and_estimates_it_from_the_labels(run, trained):
    code, out, _ = run("trust", trained)
    assert code == 0
    assert out.startswith("How good is m001? Dice about ") and "3 validation images" in out
    assert "To make it firmer: " in out
    assert json.loads(run("trust", trained, "--json")[1])["cross_validation"] is None
    code, out, _ = run("trust", trained, "--cross-validate", "--json")
    facts = json.loads(out)
    known = facts["cross_validation"]
    assert code == 0 and known["model"] == "m001" and known["regions"] == 4
    assert len(known["folds"]) == known["images"] == min(5, known["images"])
    assert 0 < known["estimates"]["image_mean_dice"]["value"] <= 1
    assert {"image_dice/disk", "accuracy", "ece"} <= set(known["estimates"])
    assert facts["summary"][0]["key"] == "score"
    assert "ross-validated" in facts["summary"][0]["answer"]  # the first score, or the second
    code, out, _ = run("trust", trained)
    assert "m001 cross-validated in" in out  # it was kept
    assert run("trust", trained, "--score-validation")[0] == 0


def test_one_image_with_labels_cannot_be_cross_validated(run, tmp_path):
    pool = write_pool(tmp_path / "one", 1)
    folder = tmp_path / "q"
    for line in (
        ("init", folder, "--images", pool / "images", "--classes", "background,disk"),
        ("propose", folder, "--count", 3, "--size", 24),
        ("label", folder, "--from-masks", pool / "masks"),
        ("train", folder, "--epochs", 2),
    ):
        assert run(*line)[0] == 0
    code, out, _ = run("trust", folder, "--cross-validate")
    assert code == 0 and "not known yet (--cross-validate): " in out
    assert "finish a region on another image" in out


def test_review_names_places_in_words(run, trained):
    code, out, _ = run("review", trained, "--json")
    facts = json.loads(out)
    findings = facts["findings"]
    assert code == 0 and 0 < facts["agreement"] <= 1
    assert "labels that they had not seen" in facts["words"]
    assert all("labelled" in found["words"] for found in findings)
    assert run("review", trained, "--most", 1)[0] == 0


def test_figures_are_drawn_by_one_verb_with_their_tables(run, trained, tmp_path):
    out_dir = tmp_path / "figures"
    code, out, _ = run("figures", trained, "--out", out_dir, "--dpi", 60, "--json")
    facts = json.loads(out)
    assert code == 0
    for name in (
        "figure-3-accuracy",
        "figure-4-uncertainty",
        "figure-5-calibration",
        "figure-E1-reliability-first",
    ):
        assert name in facts["figures"]
        assert (out_dir / f"{name}.png").stat().st_size > 2000
    with (out_dir / "figure-3-accuracy.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["model"] for row in rows] == ["m001"]
    assert 0 < float(rows[0]["labelled_percent"]) < 100
    code, _, err = run("figures", trained, "--out", out_dir)
    assert code == 1 and "not empty" in err


def test_figures_need_something_that_was_measured(run, made, tmp_path):
    code, _, err = run("figures", made, "--out", tmp_path / "none")
    assert code == 1 and "nothing was measured" in " ".join(err.split())
    assert not (tmp_path / "none").exists()


def test_evaluate_gives_intervals_over_images(run, trained):
    facts = json.loads(run("evaluate", trained, "--json")[1])
    assert facts["intervals"]["mean_dice"]["value"] == pytest.approx(facts["mean_dice"])
    assert len(facts["by_image"]) == 3
    for one in facts["by_image"].values():
        assert {"mean_dice", "ece", "hausdorff_95/disk", "boundary_f1/disk"} <= set(one)
    assert "95 % over images" in run("evaluate", trained)[1]
