"""The README's promises: its code runs, its files exist, its verbs are there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


@pytest.mark.slow
def test_the_lines_without_a_window_run_as_they_stand(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (code,) = blocks("python")
    exec(compile(code, "README.md", "exec"), {})  # noqa: S102 - our own README
    rounds = capsys.readouterr().out.strip().splitlines()
    assert [line.split()[0] for line in rounds] == ["m001", "m002", "m003"]
    name, dice = rounds[-1].split()[1:]
    assert name == "mean_dice" and float(dice) > 0.8


def test_every_linked_file_is_there():
    documents = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
    for document in [*documents, *(ROOT / "docs").glob("*.md")]:
        text = document.read_text(encoding="utf-8")
        for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", text):
            if not target.startswith("http"):
                assert (document.parent / target).exists(), f"{document.name}: {target}"


def test_every_verb_and_option_of_the_readme_exists():
    import typer

    from napari_active_seg.cli.main import app

    commands = typer.main.get_command(app).commands
    for line in "\n".join(blocks("sh")).splitlines():
        words = line.split()
        if words[:1] == ["napari-active-seg"] and len(words) > 1:
            command = commands[words[1]]
            known = {option for p in command.params for option in p.opts}
            assert {w for w in words[2:] if w.startswith("--")} <= known, line


def test_changelog_has_a_place_for_what_comes():
    assert "## Unreleased" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
