"""The command line as scripts use it: real processes' arguments, output and exit codes."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from napari_active_seg.cli import main


def test_the_whole_loop_by_script(run, made, pool, tmp_path):
    code, out, _ = run("propose", made, "--count", 4, "--size", 32, "--measure", "bald", "--json")
    assert code == 0
    first = json.loads(out)
    assert [r["height"] for r in first["regions"]] == [32] * 4
    assert first["model"] is None
    assert run("label", made, "--from-masks", pool / "masks", "--only", "proposed")[0] == 0
    code, out, _ = run("train", made, "--preset", "fast", "--epochs", 30, "--json")
    assert code == 0
    trained = json.loads(out)
    assert trained["model"] == "m001"
    assert trained["regions"] == 4
    assert trained["validation"]["mean_dice"] > 0.8
    code, out, _ = run("predict", made, "--samples", 3, "--json")
    assert json.loads(out) == {"model": "m001", "images": 4, "left_out": []}
    code, out, _ = run("propose", made, "--count", 2, "--size", 32, "--json")
    second = json.loads(out)
    assert second["round"] == 2
    assert second["model"] == "m001"
    assert all("against" in r["reason"] for r in second["regions"])
    code, out, _ = run(
        "evaluate", made, "--images", pool / "images", "--masks", pool / "masks", "--json"
    )
    scores = json.loads(out)
    assert scores["images"] == 4
    assert 0 <= scores["ece"] <= 1
    code, out, _ = run("export", made, "--format", "masks", "--out", tmp_path / "labels", "--json")
    assert json.loads(out)["regions"] == 5
    code, out, _ = run("info", made, "--json")
    facts = json.loads(out)
    assert facts["images"] == 4
    assert facts["regions"] == {"done": 5, "proposed": 2}
    assert facts["model_in_use"] == "m001"
    code, _, _ = run("predict", made, "--images", pool / "images", "--out", tmp_path / "maps")
    assert code == 0
    assert len(list((tmp_path / "maps" / "masks").iterdir())) == 4
    assert run("report", made, "--out", tmp_path / "r.html")[0] == 0
    assert (tmp_path / "r.html").stat().st_size > 10_000


def test_labels_in_another_format_and_back_into_another_project(run, made, pool, tmp_path):
    run("propose", made, "--count", 4, "--size", 32)
    run("label", made, "--from-masks", pool / "masks", "--only", "proposed")
    out = tmp_path / "tiles ü"
    code, text, _ = run(
        "export", made, "--format", "coco", "--as", "tiles", "--tile", 48, "--overlap", 8,
        "--terms", "CC0", "--out", out, "--json",
    )  # fmt: skip
    told = json.loads(text)
    assert code == 0 and told["format"] == "coco" and told["pieces"] >= 4
    assert json.loads((out / "dataset.json").read_text())["terms"] == "CC0"
    other = tmp_path / "other"
    run("init", other, "--images", pool / "images", "--classes", "background,disk")
    code, text, _ = run("import", other, "--labels", out, "--json")
    assert code == 0 and json.loads(text)["labelled_parts"] == told["regions"]
    assert run("export", made, "--out", out)[0] == 1
    assert run("export", made, "--out", out, "--overwrite")[0] == 0
    code, text, _ = run("formats", "--json")
    assert "ome-zarr" in json.loads(text)


def test_json_is_the_only_thing_on_stdout(run, made):
    _, out, _ = run("propose", made, "--count", 1, "--json")
    json.loads(out)
    assert out.count("\n") == 1


def test_corrupt_image_is_named_and_the_rest_goes_on(run, tmp_path, pool):
    (pool / "images" / "img7.png").write_bytes(b"\x89PNG rubbish")
    code, out, err = run(
        "init", tmp_path / "p", "--images", pool / "images", "--classes", "a,b", "--json"
    )
    assert code == 0
    facts = json.loads(out)
    assert facts["images"] == 4
    assert facts["set_aside"][0]["file"] == "img7.png"
    assert "img7.png" in err


def empty(pool, tmp_path):
    (tmp_path / "empty").mkdir()
    return ["init", tmp_path / "p", "--images", tmp_path / "empty", "--classes", "a,b"]


def twice(pool, tmp_path):
    return ["init", tmp_path / "p", "--images", pool / "images", "--classes", "gland,gland"]


def taken(pool, tmp_path):
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "x").write_text("mine")
    return ["init", tmp_path / "p", "--images", pool / "images", "--classes", "a,b"]


def odd_mask(pool, tmp_path):
    Image.fromarray(np.zeros((5, 6), np.uint8)).save(pool / "masks" / "img1.png")
    masks = ["--masks", pool / "masks"]
    return ["init", tmp_path / "p", "--images", pool / "images", "--classes", "a,b", *masks]


def no_project(pool, tmp_path):
    return ["info", tmp_path / "nowhere"]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (empty, 1, "no usable image"),
        (twice, 2, "given twice: gland"),
        (taken, 1, "not empty; nothing was changed"),
        (odd_mask, 1, "5 x 6 but its image is 96 x 128"),
        (no_project, 1, "is not a project"),
    ],
)
def test_bad_input_ends_with_one_line_and_its_code(run, pool, tmp_path, arguments, code, words):
    found, out, err = run(*arguments(pool, tmp_path))
    assert found == code
    assert out == ""
    last = " ".join(err.split("error:")[-1].split())
    assert words in last
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["propose", "--measure", "bold"], "did you mean 'bald'"),
        (["propose", "--strategy", "random-region"], "did you mean 'random-regions'"),
        (["propose", "--count", "0"], "count must be 1 or more"),
        (["propose", "--count", "2", "--budget", "2"], "say the same"),
        (["propose", "--budget", "5 hours"], "a budget is like 8, 10min"),
        (["propose", "--stride", "0"], "stride must be 1 pixel or more, got 0"),
        (["propose", "--size", "900"], "larger than every image of the pool"),
        (["propose", "--set", "unit=hexagons"], "no unit 'hexagons'"),
        (["propose", "--cost", "gold"], "no cost 'gold'"),
        (["train", "--preset", "fastt"], "did you mean 'fast'"),
        (["predict", "--images", "x"], "--images and --out must be given together"),
        (["export", "--out", "x", "--format", "masq"], "did you mean 'masks'"),
    ],
)
def test_wrong_values_are_bad_arguments(run, made, pool, arguments, words):
    verb, *rest = arguments
    if verb == "train":
        run("propose", made, "--count", 1, "--size", 32)
        run("label", made, "--from-masks", pool / "masks")
    code, _, err = run(verb, made, *rest)
    assert code == 2
    assert words in " ".join(err.split())


def test_failures_name_what_to_do_first(run, made):
    code, _, err = run("train", made)
    assert code == 1
    assert "label proposed regions first" in " ".join(err.split())
    code, _, err = run("predict", made)
    assert code == 1
    assert "train first" in " ".join(err.split())


def test_a_place_that_cannot_be_written_to_is_named_with_a_remedy(run, made, tmp_path):
    (tmp_path / "file").write_text("in the way")
    for out in (tmp_path / "file" / "report.html", tmp_path):
        code, _, err = run("report", made, "--out", out)
        said = " ".join(err.split())
        assert code == 1 and "mistake" not in said and "choose another name" in said
        assert str(tmp_path) in said.replace(" ", "")


def test_unknown_options_and_verbs_exit_with_2(run, made):
    assert run("info", made, "--nonsense")[0] == 2
    assert run("fly")[0] == 2


def test_debug_shows_where_it_happened(tmp_path):
    from napari_active_seg.errors import ProjectError

    with pytest.raises(ProjectError):
        main(["info", str(tmp_path / "nowhere"), "--debug"])


VERBS = ["demo", "doctor", "init", "info", "label", "predict"]
VERBS += ["propose", "train", "evaluate", "export", "report", "simulate"]
VERBS += ["reproduce", "compare-runs", "datasets", "polygons"]


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself_with_an_example(run, verb):
    code, out, _ = run(verb, "--help")
    assert code == 0
    assert f"napari-active-seg {verb}" in " ".join(out.split())


def test_doctor_speaks_plainly(run):
    code, out, _ = run("doctor", "--json")
    assert code == 0
    facts = json.loads(out)
    assert facts["torch"]
    assert "PyQt6" in facts["window toolkit"]


@pytest.mark.slow
def test_installed_command_works_from_another_folder(tmp_path):
    command = shutil.which("napari-active-seg", path=str(shutil.which("python") or ""))
    program = [command] if command else [sys.executable, "-m", "napari_active_seg"]
    ended = subprocess.run([*program, "--version"], cwd=tmp_path, capture_output=True, text=True)
    assert ended.returncode == 0
    from napari_active_seg import __version__

    assert ended.stdout.strip() == __version__
