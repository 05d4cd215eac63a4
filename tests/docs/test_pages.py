"""The pages of the docs: their commands exist, their code runs, the site builds strictly."""

import json
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
import yaml

from napari_active_seg.cli.defaults import Defaults, list_options
from napari_active_seg.cli.main import app, main
from napari_active_seg.figures import Report, draw_losses, image_png
from napari_active_seg.figures import report as report_page
from napari_active_seg.studies.segmentation import StudySettings
from napari_active_seg.studies.simulate import write_study
from napari_active_seg.uncertainty import Measure, MomentStream
from napari_active_seg.uncertainty.registered import CheckedMeasure

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs").rglob("*.md"))
KNOBS = list_options(app)
KEPT = sorted(path.parent for path in (ROOT / "docs" / "reproduction").glob("*/study"))


def blocks(page, language):
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)


def commands(page):
    lines = "\n".join(blocks(page, "sh")).replace("\\\n", " ").splitlines()
    return [line.split("  #")[0].strip() for line in lines if line.strip()]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT / "docs")))
def test_every_command_of_a_page_exists_with_its_options(page):
    for line in commands(page):
        words = shlex.split(line)
        if "napari_active_seg" in words:
            words = words[words.index("napari_active_seg") :]
        if words[0] not in ("napari-active-seg", "napari_active_seg") or len(words) < 2:
            continue
        verb = words[1]
        assert verb in KNOBS or verb.startswith("--"), line
        if verb in KNOBS:
            known = {o for knob in KNOBS[verb].values() for o in knob.options}
            given = {w.partition("=")[0] for w in words[2:] if w.startswith("--")}
            assert given <= known | {"--help", "--defaults", "--quiet"}, line


def test_the_reference_is_what_the_program_would_write_now(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    import make_reference

    folder = ROOT / "docs" / "reference"
    for name, page in (
        ("command-line.md", make_reference.reference()),
        ("settings.md", make_reference.settings_page()),
    ):
        written = (folder / name).read_text(encoding="utf-8")
        assert written == page, "run python scripts/make_reference.py"


def run_line(line):
    """Run a line of the command line in this process."""
    with pytest.raises(SystemExit) as ended:
        main(shlex.split(line)[1:])
    assert not ended.value.code, line


@pytest.mark.slow
def test_what_the_researcher_is_told_runs_as_it_stands(tmp_path, monkeypatch):
    import warnings

    monkeypatch.setattr(warnings, "filters", list(warnings.filters))
    monkeypatch.chdir(tmp_path)
    page = ROOT / "docs" / "tutorials" / "researcher.md"
    names = {}
    for kind, code in re.findall(r"```(python|sh)\n(.*?)```", page.read_text(), re.DOTALL):
        if kind == "python":
            exec(compile(code, page.name, "exec"), names)  # noqa: S102 - our own page
        else:
            for line in code.strip().splitlines():
                run_line(line)
    assert (tmp_path / "compared" / "report.html").exists()
    assert any((tmp_path / "figures").glob("*reliability*.png"))


@pytest.mark.slow
def test_what_the_data_manager_is_told_runs_as_it_stands(tmp_path, monkeypatch, pool, run_session):
    monkeypatch.chdir(tmp_path)
    run_session(tmp_path / "PROJECT", annotator="Anna")
    run_session(tmp_path / "OTHER", annotator="Ben")
    page = ROOT / "docs" / "tutorials" / "data-manager.md"
    for line in commands(page):
        if line.startswith("cd "):
            subprocess.run(line, shell=True, check=True, cwd=tmp_path)
        elif "merge" not in line:
            run_line(line)
    assert (tmp_path / "coco" / "checksums.sha256").exists()


@pytest.fixture
def run_session(pool, monkeypatch):
    """Makes a project with three regions that somebody finished by hand."""
    import warnings

    import numpy as np
    from fakes import FakeSegmenters

    from napari_active_seg.jobs import InlineRunner
    from napari_active_seg.project import Project
    from napari_active_seg.regions import RegionState
    from napari_active_seg.session import Session
    from napari_active_seg.session.create_project import create_project

    monkeypatch.setattr(warnings, "filters", list(warnings.filters))

    def make(folder, annotator):
        create_project(
            folder,
            images_dir=pool / "images",
            classes=("background", "disk"),
            masks_dir=pool / "masks",
        )
        session = Session(Project.open(folder), FakeSegmenters(), InlineRunner())
        session.maintenance.configure(annotator=annotator)
        session.proposals.propose(count=3, size=24)
        for queued in session.state.open_regions:
            target = np.zeros(queued.region.shape, np.uint8)
            target[4:9, 4:9] = 1
            session.labels.save(queued.id, target, state=RegionState.DONE)
        session.close()

    return make


def test_snippets_of_the_how_to_pages_do_what_they_say(tmp_path, monkeypatch, session):
    pytest.importorskip("torch")
    from napari_active_seg.learning.networks.registry import build_network

    how_to = ROOT / "docs" / "how-to"
    (network,) = blocks(how_to / "own-network.md", "python")
    (tmp_path / "mine.py").write_text(network)
    monkeypatch.setenv("NAPARI_ACTIVE_SEG_NETWORKS", f"mine={tmp_path / 'mine.py'}:build")
    assert build_network("mine", 2).network.is_cut

    names = {}
    (measure,) = blocks(how_to / "own-measure.md", "python")
    exec(compile(measure, "own-measure.md", "exec"), names)  # noqa: S102 - our own page
    stream = MomentStream()
    stream.add(np.full((2, 3, 4), 0.5, np.float32))
    assert CheckedMeasure("spread", names["spread"])(stream.moments()).max() == 0
    (call,) = re.findall(r"`(Measure\(.*\))`", (how_to / "own-measure.md").read_text())
    assert eval(call, {"Measure": Measure, **names}).upper_bound(2) == 0.25

    (strategy,) = blocks(how_to / "own-strategy.md", "python")
    exec(compile(strategy, "own-strategy.md", "exec"), names)  # noqa: S102 - our own page
    session.proposals.propose(count=1, size=24, strategy=names["mine"])
    assert session.proposals.latest.strategy == "mine"

    pytest.importorskip("anywidget")
    (notebook,) = blocks(how_to / "notebooks.md", "python")
    code = notebook.replace("size=128", "size=24")
    exec(compile(code, "notebooks.md", "exec"), {"session": session})  # noqa: S102 - our own page


def test_files_that_pages_show_are_taken_as_they_stand(tmp_path):
    (text,) = blocks(ROOT / "docs" / "how-to" / "defaults.md", "yaml")
    (tmp_path / "mine.yaml").write_text(text)
    found = Defaults(
        KNOBS, named=tmp_path / "mine.yaml", environment={}, here=tmp_path, own=tmp_path
    )
    assert found.of("propose")["budget"].value == "10min"
    assert set(yaml.safe_load(text)) <= {*KNOBS, "all"}
    for page in PAGES:
        for block in blocks(page, "toml"):
            tomllib.loads(block)
        for block in blocks(page, "python"):
            compile(block, str(page), "exec")


@pytest.mark.slow
def test_the_site_builds_with_warnings_as_errors(tmp_path):
    pytest.importorskip("mkdocs")
    ended = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "-d", str(tmp_path / "site")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    index = (tmp_path / "site" / "reference" / "python" / "index.html").read_text()
    assert "answer_from_masks" in index  # names come out of the docstrings
    for page in (tmp_path / "site").rglob("*.html"):
        asked = re.findall(
            r'<(?:script|link|img)[^>]+(?:src|href)="(https?://[^"]+)"', page.read_text()
        )
        assert [one for one in asked if "napari.org" not in one] == [], page.name


def test_of_a_study_its_tables_and_charts_are_kept_and_no_pictures(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    import keep_study

    study = tmp_path / "study"
    report = Report("A study", "seed 0")
    report.picture(image_png(np.zeros((2, 2, 3), np.uint8)), "a person")
    report.chart(draw_losses([2.0, 1.0]), "How it fell")
    report.write_all(study)
    (study / "curves.csv").write_text("arm\n", encoding="utf-8")
    (study / "results.json").write_text('{"version": "1", "rounds": [1]}', encoding="utf-8")
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "old.png").write_bytes(b"old")
    keep_study.keep(study, tmp_path / "kept")
    kept = sorted(p.name for p in (tmp_path / "kept").rglob("*") if p.is_file())
    assert kept == ["02-how-it-fell.png", "curves.csv", "report.md", "results.json"]
    assert json.loads((tmp_path / "kept" / "results.json").read_text()) == {"version": "1"}


@pytest.mark.parametrize("kept", KEPT, ids=lambda kept: kept.name)
def test_a_kept_report_is_what_its_kept_rounds_give(kept, monkeypatch, tmp_path):
    monkeypatch.setattr(report_page, "figure_png", lambda figure, dpi: b"")  # names alone
    study = StudySettings.read(kept / "study" / "study.json")
    write_study(study, kept / "study", into=tmp_path)
    place = kept.relative_to(ROOT)
    again = f"run python scripts/keep_study.py --rounds {place}/study {place}"
    told = (kept / "report.md").read_text()
    assert (tmp_path / "report.md").read_text() == told, again
    assert (tmp_path / "curves.csv").read_text() == (kept / "curves.csv").read_text(), again
    for chart in re.findall(r"\]\((figures/[^)]+)\)", told):
        assert (kept / chart).is_file(), again
