"""Studies on the command line, with the real network and real processes beside each other."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image
from tiny_data import disk_picture, write_pool

TRUTHS = ("--images", "--masks", "--test-images", "--test-masks")


@pytest.fixture
def folders(tmp_path):
    train, test = write_pool(tmp_path / "train", 4), write_pool(tmp_path / "test", 2, first=50)
    places = (train / "images", train / "masks", test / "images", test / "masks")
    return [word for pair in zip(TRUTHS, places, strict=True) for word in pair]


@pytest.fixture
def glas(tmp_path):
    """A tiny tree in the official layout."""
    root = tmp_path / "glas"
    root.mkdir()
    rows = ["name,patient ID,grade (GlaS), grade (Sirinukunwattana et al. 2015)"]
    names = [f"train_{k}" for k in range(1, 15)] + ["testA_1", "testA_2"]
    for k, name in enumerate(names):
        image, mask = disk_picture(k, (160, 200))
        Image.fromarray(image).save(root / f"{name}.bmp")
        Image.fromarray(mask).save(root / f"{name}_anno.bmp")
        rows.append(f"{name},{k}, {'benign' if k % 2 else 'malignant'}, x")
    (root / "Grade.csv").write_text("\n".join(rows))
    return root


def test_simulate_writes_its_curve_and_goes_on(run, folders, tmp_path):
    asked = [
        "simulate", *folders, "--strategy", "random-regions", "--rounds", 1, "--size", 24,
        "--set", "steps=5", "--out", tmp_path / "study", "--device", "cpu",
    ]  # fmt: skip
    code, out, err = run(*asked, "--json")
    assert code == 0, err
    rounds = [(p["arm"], p["round"]) for p in json.loads(out)["rounds"]]
    assert rounds == [
        ("all labels", 0),
        *((name, r) for name in ("random-regions", "foreground-regions") for r in (0, 1)),
    ]
    for name in ("curves.csv", "results.json", "report.html", "study.json"):
        assert (tmp_path / "study" / name).is_file()
    records = (tmp_path / "study/arms/random-regions/seed-0/rounds.jsonl").read_text()
    losses = [json.loads(line)["losses"] for line in records.splitlines()]
    assert all(len(tenths) == 5 for tenths in losses)  # five steps have no ten tenths
    code, again, _ = run(*asked, "--json")
    assert code == 0 and again == out
    assert (tmp_path / "study/arms/random-regions/seed-0/rounds.jsonl").read_text() == records
    config = tmp_path / "study" / "study.json"
    code, third, _ = run("simulate", "--config", config, "--out", tmp_path / "again", "--json")
    assert code == 0
    assert json.loads(third)["rounds"] == json.loads(out)["rounds"]
    ran_on = json.loads((tmp_path / "again" / "results.json").read_text())["device"]
    assert ran_on.split()[0] in ("cpu", "cuda")  # not auto, which was asked for
    code, beside, _ = run(
        "compare-runs", tmp_path / "study", tmp_path / "again", "--out", tmp_path / "b.html",
        "--json",
    )  # fmt: skip
    assert code == 0 and (tmp_path / "b.html").stat().st_size > 5000
    rows = json.loads(beside)["rows"]
    assert [row[1] for row in rows[:2]] == [row[1] for row in rows[2:]]
    project = tmp_path / "study/arms/random-regions/seed-0/project"
    code, _, err = run("compare-runs", tmp_path / "study", project, "--out", tmp_path / "c.html")
    assert code == 0, err


def test_an_annotator_and_its_budget_are_told(run, folders, tmp_path):
    code, out, err = run(
        "simulate", *folders, "--strategy", "uncertain-regions", "--beside", "none", "--rounds", 1,
        "--size", 24, "--set", "steps=5", "--set", "samples=2", "--annotator", "tolerance=3",
        "--annotator", "noise=0.3", "--start", "1images", "--batch", "1min", "--no-reference",
        "--out", tmp_path / "study", "--json",
    )  # fmt: skip
    assert code == 0, err
    first, second = json.loads(out)["rounds"]
    assert second["seconds"] - first["seconds"] >= 60
    code, out, err = run(
        "simulate", *folders, "--beside", "none", "--rounds", 0, "--size", 24, "--set", "steps=5",
        "--start", "1200px", "--no-reference", "--out", tmp_path / "pixels", "--json",
    )  # fmt: skip
    assert code == 0, err
    assert [r["regions"] for r in json.loads(out)["rounds"]] == [2]
    for wrong in (
        ["--start", "some"], ["--annotator", "skill=3"], ["--seeds", "a"], ["--batch", "b"],
        ["--strategy", "random-region"], ["--first", "x"], ["--set", "pace=3"], ["--size", "2"],
    ):  # fmt: skip
        code, _, err = run("simulate", *folders, *wrong, "--out", tmp_path / "x")
        assert code == 2 and err.startswith("error:"), (wrong, err)


def test_reproduce_runs_a_papers_study_and_prints_its_figures(run, glas, tmp_path):
    asked = (
        "reproduce", "glas", "--data", glas, "--arms", "images-random", "--seeds", "0",
        "--set", "preset=fast", "--set", "steps=3", "--out", tmp_path / "out", "--device", "cpu",
    )  # fmt: skip
    code, out, err = run(*asked, "--json")
    assert code == 0, err
    assert "a quarter of their size" in err.replace("\n", " ")
    rounds = [r for r in json.loads(out)["rounds"] if r["arm"] == "images-random"]
    assert [r["regions"] for r in rounds] == [10, 14]  # then the pool is used up
    page = (tmp_path / "out" / "report.html").read_text()
    assert "29.39" in page and "--set, whatever is said above: preset=fast, steps=3." in page
    results = tmp_path / "out" / "results.json"
    before = results.read_bytes()
    assert json.loads(before)["device"].startswith("cpu device, ")
    code, only, _ = run(*asked[:-1], "auto", "--only-report", "--json")
    assert code == 0 and json.loads(only) == json.loads(out)
    assert results.read_bytes() == before
    results.unlink()  # by hand: a page is written all the same
    assert run(*asked, "--only-report")[0] == 0 and "not told" in results.read_text()
    code, _, err = run(*asked[:4], "--arms", "nonsense", "--out", tmp_path / "x")
    assert code == 2 and "regions-bald" in err
    code, _, err = run("reproduce", "isic2016", "--data", glas, "--out", tmp_path / "y")
    assert code == 1 and "challenge.isic-archive.com" in err
    code, _, err = run("reproduce", "glas", "--data", tmp_path / "no", "--out", tmp_path / "y")
    assert code == 2 and "no folder is at" in err
    code, _, err = run("reproduce", "mnist", "--data", tmp_path / "no", "--out", tmp_path / "y")
    assert code == 1 and "MNIST has four such files" in err
    assert not (tmp_path / "y").exists()  # so that another study may be put there


def test_a_device_that_is_not_there_is_refused_before_anything_is_prepared(run, glas, tmp_path):
    import torch

    if torch.cuda.is_available():
        pytest.skip("a GPU is here")
    for name, data in (("glas", glas), ("mnist", tmp_path)):
        given = ("--data", data, "--out", tmp_path / "out", "--device", "cuda")
        code, _, err = run("reproduce", name, *given)
        assert code == 2 and "no CUDA device" in err
    assert not (tmp_path / "out").exists()


def test_datasets_are_listed_with_their_terms(run):
    code, out, _ = run("datasets", "--json")
    facts = json.loads(out)
    assert code == 0 and {"glas", "bcss", "voc", "a2d2-pool-21f", "camvid"} <= set(facts)
    assert all(fact["terms"] and fact["source"] for fact in facts.values())


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="needs kill -9")
def test_a_study_that_is_killed_goes_on_where_it_stopped(folders, tmp_path):
    """kill -9 on the process that waits; those that work end by themselves."""
    out = tmp_path / "study"

    def command(folder):
        return [
            sys.executable, "-m", "napari_active_seg", "simulate", *map(str, folders),
            "--strategy", "uncertain-regions", "--beside", "none", "--rounds", "3", "--size", "24",
            "--set", "steps=20", "--set", "samples=2", "--no-reference", "--workers", "1",
            "--device", "cpu", "--out", str(folder),
        ]  # fmt: skip

    records = out / "arms/uncertain-regions/seed-0/rounds.jsonl"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    killed = subprocess.Popen(command(out), **quiet)
    try:
        until = time.monotonic() + 120
        while time.monotonic() < until and not (
            records.is_file() and len(records.read_text().splitlines()) >= 2
        ):
            time.sleep(0.05)
    finally:
        os.kill(killed.pid, signal.SIGKILL)
        killed.wait()
    time.sleep(3)  # its process has seen by now that nobody waits for it
    there = records.read_text()
    assert 2 <= len(there.splitlines()) < 5
    time.sleep(1)
    assert records.read_text() == there
    assert subprocess.run(command(out), **quiet, check=False).returncode == 0
    assert subprocess.run(command(tmp_path / "whole"), **quiet, check=False).returncode == 0
    whole = tmp_path / "whole/arms/uncertain-regions/seed-0/rounds.jsonl"
    ours, theirs = ([json.loads(x) for x in p.read_text().splitlines()] for p in (records, whole))
    assert ours == theirs
    assert len(ours) == 4 and np.isfinite(ours[-1]["scores"]["mean_dice"])
