"""Training by script: what is asked, what is said, and several processes."""

import json
import shlex
import subprocess
import sys

import pytest


@pytest.fixture
def labelled(run, made, pool):
    assert run("propose", made, "--count", 6, "--size", 32)[0] == 0
    assert run("label", made, "--from-masks", pool / "masks", "--only", "proposed")[0] == 0
    return made


def test_worse_model_is_said_and_may_be_taken_all_the_same(run, labelled):
    train = ("train", labelled, "--preset", "fast")
    assert run(*train, "--epochs", 60)[0] == 0
    spoilt = ("--init", "pretrained", "--set", "learning_rate=1e-9", "--epochs", 1)
    code, out, _ = run(*train, *spoilt, "--json")
    facts = json.loads(out)
    assert code == 0 and not facts["in_use"]
    assert "m001 stays in use" in facts["verdict"]
    code, out, _ = run(*train, *spoilt)
    assert "m003 (fast) trained on 6 regions" in out and "m001 stays in use" in out
    code, out, _ = run(*train, *spoilt, "--accept-worse", "--json")
    assert json.loads(out)["in_use"]
    code, out, _ = run(*train, "--epochs", 5, "--json")
    assert json.loads(out)["starts_from"] == "model m004"


def test_models_are_listed_and_put_in_use(run, labelled):
    assert run("models", labelled)[1] == "no model yet; train first\n"
    train = ("train", labelled, "--preset", "fast")
    assert run(*train, "--epochs", 60)[0] == 0
    out = run(*train, "--init", "pretrained", "--set", "learning_rate=1e-9", "--epochs", 1)[1]
    _, command = out.rstrip().split("to use m002: napari-active-seg ")
    assert run(*shlex.split(command))[0] == 0
    facts = json.loads(run("models", labelled, "--json")[1])
    assert facts["in_use"] == "m002"
    assert [(m["id"], m["in_use"], m["has_file"]) for m in facts["models"]] == [
        ("m001", False, True),
        ("m002", True, True),
    ]
    (labelled / "models" / "m001.safetensors").unlink()
    first, second = run("models", labelled)[1].splitlines()
    assert first.startswith("m001  fast  round 1") and first.endswith("its file is not there")
    assert second.endswith("in use")
    code, _, err = run("models", labelled, "--use", "m001")
    assert code == 1 and "put it back, or use another model" in err
    code, _, err = run("models", labelled, "--use", "m003")
    assert code == 1 and "no model 'm003' in this project: did you mean" in err


def test_settings_of_one_training_are_checked_and_not_kept(run, labelled):
    code, _, err = run("train", labelled, "--set", "loss=focl")
    assert code == 2 and "did you mean 'focal'" in err
    code, _, err = run("train", labelled, "--semi-supervised", "gan")
    assert code == 2 and "known: consistency, off, s4gan" in err
    code, _, err = run("train", labelled, "--set", "preset=fats")
    assert code == 2 and "did you mean 'fast'" in err
    for unknown in ("helps=1", "epochs=2", "seed=1"):
        code, _, err = run("train", labelled, "--set", unknown)
        assert code == 2 and "cannot be changed" in err
    code, out, _ = run("train", labelled, "--epochs", 2, "--semi-supervised", "consistency")
    assert code == 0 and "too few labels to learn from unlabelled images: 6 of 8" in out
    code, out, _ = run("config", labelled, "--json")
    assert json.loads(out)["semi_supervised"] == "off"


def test_sampling_that_fails_does_not_stay(run, labelled, pool, tmp_path):
    """An ensemble of one model, and a folder that is not there."""
    assert run("train", labelled, "--preset", "fast", "--epochs", 1)[0] == 0
    into = ("--images", pool / "images", "--out", tmp_path / "maps")
    for more in ((), into):
        code, _, err = run("predict", labelled, "--uncertainty-from", "ensemble", *more)
        assert code == 1 and "an ensemble needs two models at least" in err
        assert json.loads(run("config", labelled, "--json")[1])["uncertainty_from"] == "dropout"
    assert run(
        "predict", labelled, "--images", tmp_path / "none", *into[2:], "--uncertainty-from", "views"
    )[0]
    assert json.loads(run("config", labelled, "--json")[1])["uncertainty_from"] == "dropout"
    assert run("predict", labelled)[0] == 0
    assert run("predict", labelled, "--uncertainty-from", "views")[0] == 0
    assert json.loads(run("config", labelled, "--json")[1])["uncertainty_from"] == "views"


def test_one_patient_alone_is_warned_of_at_once(run, pool, tmp_path):
    """Where it is set up, before the training, and in its verdict."""
    made, why = tmp_path / "p", "since all 4 images are of one patient or slide, 'img'"
    init = ("init", made, "--images", pool / "images", "--classes", "background,disk")
    assert why in run(*init, "--group-pattern", "(img)[0-9]")[2]
    run("propose", made, "--count", 6, "--size", 32)
    run("label", made, "--from-masks", pool / "masks", "--only", "proposed")
    code, out, err = run("train", made, "--preset", "fast", "--epochs", 1, "--json")
    assert code == 0 and why in json.loads(out)["verdict"]
    assert f"warning: no image is set aside for validation, {why}" in err
    assert err.index("warning: ") < err.index("Training 1")
    assert why in run("train", made, "--preset", "fast", "--epochs", 1)[1]


def test_network_without_dropout_is_trained_and_asked(run, labelled, tmp_path, monkeypatch):
    """As the page on networks of one's own says."""
    path = tmp_path / "mine.py"
    path.write_text(
        "from torch import nn\n"
        "def build(n):\n"
        "    return nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, n, 1))\n"
    )
    monkeypatch.setenv("NAPARI_ACTIVE_SEG_NETWORKS", f"mine={path}:build")
    train = ("train", labelled, "--preset", "mine", "--epochs", 2, "--json")
    code, _, err = run(*train)
    assert (
        code == 1 and "set uncertainty_from to ensemble, views" in err and "Training 1" not in err
    )
    assert run("config", labelled, "--set", "uncertainty_from=views")[0] == 0
    assert json.loads(run(*train)[1])["model"] == "m001"
    assert run("predict", labelled)[0] == 0
    assert run("propose", labelled, "--count", 2, "--size", 16, "--measure", "bald")[0] == 0
    assert run("config", labelled, "--set", "uncertainty_from=ensemble")[0] == 0
    assert json.loads(run(*train)[1])["model"] == "m002"
    assert json.loads(run("predict", labelled, "--json")[1])["images"] == 4


def test_predict_names_files_that_it_leaves_out(run, labelled, pool, tmp_path):
    assert run("train", labelled, "--preset", "fast", "--epochs", 1)[0] == 0
    (pool / "images" / "img3.png").rename(tmp_path / "moved.png")
    code, out, _ = run("predict", labelled, "--json")
    facts = json.loads(out)
    assert code == 0 and (facts["images"], facts["left_out"]) == (3, ["img3.png"])
    assert "1 could not be read and are left out: img3.png" in run("predict", labelled)[1]
    (tmp_path / "moved.png").rename(pool / "images" / "img3.png")
    (pool / "images" / "text.png").write_text("no picture")
    predict = ("predict", labelled, "--images", pool / "images", "--out", tmp_path / "maps")
    code, out, err = run("--quiet", *predict, "--json")
    facts = json.loads(out)
    assert code == 0 and facts["images"] == 4
    assert [problem.split(":")[0] for problem in facts["left_out"]] == ["text.png"]
    assert "left out: text.png" in err
    assert "1 files could not be read and are left out" in run(*predict)[1]
    assert "text.png" in (tmp_path / "maps" / "images.csv").read_text()


@pytest.mark.slow
def test_torchrun_trains_one_model_and_saves_it_once(run, labelled):
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command = [*launcher, "--nproc-per-node", "2", "-m", "napari_active_seg", "train"]
    command += [str(labelled), "--preset", "unet:group", "--epochs", "3", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    (line,) = [text for text in done.stdout.splitlines() if text.startswith("{")]
    shared = json.loads(line)
    assert shared["model"] == "m001" and shared["steps"] == 3
    again = ("--preset", "unet:group", "--epochs", 3, "--init", "pretrained", "--json")
    alone = json.loads(run("train", labelled, *again)[1])
    assert alone["losses"] == pytest.approx(shared["losses"], rel=2e-4)
    assert len(list((labelled / "models").iterdir())) == 2
