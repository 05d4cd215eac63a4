"""Defaults and their sources, quiet, completion, help, misspelt names."""

import json
import os
import subprocess
import sys

import pytest
import typer

from napari_active_seg.cli.defaults import Defaults, list_options
from napari_active_seg.cli.main import app
from napari_active_seg.errors import ConfigError

KNOBS = list_options(app)


@pytest.fixture(autouse=True)
def alone(monkeypatch, tmp_path):
    """No file or variable of whoever runs the tests has a say."""
    for name in list(os.environ):
        if name.startswith("NAPARI_ACTIVE_SEG_"):
            monkeypatch.delenv(name)
    monkeypatch.setattr(typer, "get_app_dir", lambda name: str(tmp_path / "own"))
    monkeypatch.chdir(tmp_path)


def defaults(tmp_path, environment=(), **files):
    for name, text in files.items():
        place = {"own": "own/command-line.yaml", "here": "napari-active-seg.yaml"}.get(name, name)
        (tmp_path / place).parent.mkdir(exist_ok=True)
        (tmp_path / place).write_text(text)
    named = tmp_path / "named" if "named" in files else None
    return Defaults(KNOBS, named=named, environment=dict(environment))


def test_what_is_nearer_goes_first_and_each_value_names_its_source(tmp_path):
    found = defaults(
        tmp_path,
        {"NAPARI_ACTIVE_SEG_TRAIN_EPOCHS": "4"},
        own="train: {preset: unet, epochs: 1, accept-worse: true}\n",
        here="train: {epochs: 2, init: scratch}\n",
        named="train: {epochs: 3}\n",
    ).of("train")
    assert (found["epochs"].value, found["epochs"].source) == (
        4,
        "environment NAPARI_ACTIVE_SEG_TRAIN_EPOCHS",
    )
    assert found["preset"].value == "unet" and "command-line.yaml" in found["preset"].source
    assert found["accept_worse"].value is True
    assert "napari-active-seg.yaml" in found["init"].source
    assert (found["device"].value, found["device"].source) == ("auto", "default")


def test_all_holds_for_every_verb_and_gives_way_to_one(tmp_path):
    found = defaults(tmp_path, here="all: {device: cpu}\ntrain: {device: cuda}\n")
    assert found.of("predict")["device"].value == "cpu"
    assert found.of("train")["device"].value == "cuda"
    found = defaults(
        tmp_path,
        {"NAPARI_ACTIVE_SEG_ALL_DEVICE": "cpu", "NAPARI_ACTIVE_SEG_TRAIN_DEVICE": "cuda"},
        here="",
    )
    assert [found.of(v)["device"].value for v in ("train", "guide")] == ["cuda", "cpu"]


def test_repeatable_options_are_lists_in_files_and_have_commas_in_the_environment(tmp_path):
    found = defaults(
        tmp_path,
        {"NAPARI_ACTIVE_SEG_TRAIN_SET": "loss=focal, steps=9"},
        here="config: {set: [annotator=Anna]}\n",
    )
    assert found.of("train")["set"].value == ["loss=focal", "steps=9"]
    assert found.given()["config"] == {"changes": ["annotator=Anna"]}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("trian: {preset: fast}", "did you mean 'train'"),
        ("train: {prest: fast}", "did you mean 'preset'"),
        ("train: {epochs: many}", r"train.epochs is 'many'; .*integer"),
        ("train: fast", "verbs with their options"),
        ("train: [", "cannot be read as YAML"),
    ],
)
def test_file_that_does_not_fit_is_refused_by_name(tmp_path, text, words):
    with pytest.raises(ConfigError, match=words) as refused:
        defaults(tmp_path, here=text)
    assert "napari-active-seg.yaml" in str(refused.value)


def test_misspelt_variable_is_told(tmp_path):
    with pytest.raises(ConfigError, match="did you mean 'NAPARI_ACTIVE_SEG_TRAIN_PRESET'"):
        defaults(tmp_path, {"NAPARI_ACTIVE_SEG_TRAIN_PRESTE": "fast"})
    with pytest.raises(ConfigError, match="no file of defaults"):
        defaults(tmp_path, {"NAPARI_ACTIVE_SEG_DEFAULTS": "gone.yaml"})


def test_defaults_of_a_file_reach_the_verb_and_the_line_goes_first(run, pool, tmp_path):
    (tmp_path / "mine.yaml").write_text(
        f"init:\n  images: {pool / 'images'}\n  classes: background,disk\n  val_fraction: 0.5\n"
    )
    code, out, _ = run("init", tmp_path / "p", "--defaults", tmp_path / "mine.yaml", "--json")
    assert code == 0 and json.loads(out)["validation_images"] == 2
    code, out, _ = run(
        *("init", tmp_path / "q", "--val-fraction", "0.25", "--json"),
        f"--defaults={tmp_path / 'mine.yaml'}",
    )
    assert code == 0 and json.loads(out)["validation_images"] == 1


def test_config_shows_every_value_with_its_source(run, made, monkeypatch):
    monkeypatch.setenv("NAPARI_ACTIVE_SEG_TRAIN_PRESET", "unet")
    run("config", made, "--set", "annotator=Anna")
    code, out, _ = run("config", made, "--show", "--json")
    facts = json.loads(out)
    assert code == 0 and set(facts["verbs"]) == set(KNOBS)
    assert facts["verbs"]["train"]["preset"] == {
        "value": "unet",
        "source": "environment NAPARI_ACTIVE_SEG_TRAIN_PRESET",
    }
    annotator = facts["project"]["annotator"]
    assert annotator["value"] == "Anna" and annotator["source"].endswith("project.json")
    assert facts["project"]["loss"]["source"] == "default"
    code, out, _ = run("config", "--show")
    assert code == 0 and "train.preset: unet  (environment" in out
    assert run("config")[0] == 2
    assert run("config", made, "--show", "--set", "loss=dice")[0] == 2


def test_quiet_says_nothing_but_results_and_errors(run, made, pool):
    code, out, err = run("propose", made, "--count", "2", "--size", "24", "--quiet")
    assert code == 0 and "img" in out and err == ""
    code, _, err = run("label", made, "--from-masks", pool / "masks", "-q")
    assert (code, err) == (0, "")
    code, _, err = run("--quiet", "info", "nowhere")
    assert code == 1 and err.startswith("error: ")
    _, _, err = run("propose", made, "--count", "1", "--size", "24")
    assert "Proposing" in err


def test_broken_defaults_do_not_keep_help_away(run, tmp_path):
    (tmp_path / "napari-active-seg.yaml").write_text("nonsense: {a: 1}")
    assert run("train", "--help")[0] == 0
    assert run("doctor")[0] == 2


def test_misspelt_options_and_verbs_are_answered_with_what_is_close(run):
    code, _, err = run("train", "p", "--prest", "fast")
    assert code == 2 and "did you mean '--preset'" in err
    code, _, err = run("trian", "p")
    assert code == 2 and "did you mean 'train'" in err.lower()
    assert run("history", "p", "--", "--odd")[0] == 1  # after -- nothing is an option


def test_every_verb_shows_an_example_that_its_options_allow():
    commands = typer.main.get_command(app).commands
    for verb, command in commands.items():
        examples = [
            line.strip().removeprefix("Example: ")
            for line in command.help.splitlines()
            if line.strip().startswith("Example: ")
        ]
        assert examples, verb
        for example in examples:
            words = example.split()
            assert words[:2] == ["napari-active-seg", verb], example
            known = {o for knob in KNOBS[verb].values() for o in knob.options}
            assert {w for w in words if w.startswith("--")} <= known, example


def test_every_verb_can_answer_in_json():
    without = [verb for verb, specs in KNOBS.items() if "json" not in specs]
    assert without == []


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("tra", "train"),
        ("train --preset dc", "dcan"),
        ("propose --measure ba", "bald"),
        ("export --format co", "coco"),
        ("train --set lo", "loss="),
        ("reproduce gl", "glas"),
    ],
)
def test_the_shell_completes_verbs_options_and_values(words, offered):
    asked = {
        "_NAPARI_ACTIVE_SEG_COMPLETE": "complete_bash",
        "COMP_WORDS": f"napari-active-seg {words}",
        "COMP_CWORD": str(len(words.split())),
    }
    code = "import sys; sys.argv = ['napari-active-seg']; from napari_active_seg.cli import main; "
    ended = subprocess.run(
        [sys.executable, "-c", f"{code}main()"],
        env={**os.environ, **asked},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert offered in ended.stdout.split()
