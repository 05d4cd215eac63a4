"""What is released: wheel and sdist install and work, and all metadata say the same."""

import os
import re
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest
import yaml

import napari_active_seg

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

SMOKE = """
from pathlib import Path
import napari_active_seg
from napari_active_seg import create_project, open_session
from napari_active_seg.images.samples import write_sample_set
from napari_active_seg.session.report import write_project_report

assert "site-packages" in napari_active_seg.__file__, napari_active_seg.__file__
data = Path("data")
write_sample_set("dermoscopy", data, count=3)
create_project(Path("p"), images_dir=data / "images", masks_dir=data / "masks",
               classes=["skin", "lesion"])
session = open_session("p", device="cpu")
session.proposals.propose(count=4, size=256)
session.labels.answer_from_masks(data / "masks")
session.train(preset="fast", epochs=2)
write_project_report(session, Path("report.html"))
session.wait()
print(session.state.model.id)
session.close()
import anywidget, npe2
from napari_active_seg.notebook import RegionAnnotator
assert "export default" in str(RegionAnnotator._esm)
assert npe2.PluginManifest.from_distribution("napari-active-seg").contributions.commands
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The folder with wheel and sdist, as `python -m build` makes them."""
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--outdir", str(out), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    return out


@pytest.mark.slow
def test_wheel_and_sdist_carry_what_they_need(built):
    (wheel,) = built.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    for inside in ("napari.yaml", "py.typed", "notebook/annotator.js", "notebook/annotator.css"):
        assert f"napari_active_seg/{inside}" in names
    assert not [n for n in names if n.startswith("tests")]
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        inside = {name.split("/", 1)[-1] for name in archive.getnames()}
    assert {"napari_active_seg/napari.yaml", "LICENSE", "README.md", "pyproject.toml"} <= inside


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["*.whl", "*.tar.gz"])
def test_an_empty_environment_that_gets_the_release_runs_a_lap(built, kind, tmp_path):
    """Nothing of the clone is there: the packages that we need are lent, ours comes by pip."""
    (released,) = built.glob(kind)
    venv.create(tmp_path / "env", with_pip=True)
    scripts = tmp_path / "env" / ("Scripts" if os.name == "nt" else "bin")
    python = scripts / "python"
    site = Path(
        subprocess.run(
            [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
    )
    (site / "lent.pth").write_text(sysconfig.get_path("purelib") + "\n")
    pip = [python, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([python, "-m", "pip", "uninstall", "-y", "-q", "setuptools"], check=True)
    subprocess.run([*pip, "--no-build-isolation", released], check=True, capture_output=True)
    work = tmp_path / "work"
    work.mkdir()
    ended = subprocess.run(
        [python, "-c", SMOKE], cwd=work, capture_output=True, text=True, timeout=300
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    assert ended.stdout.split()[-1] == "m001" and (work / "report.html").exists()
    verb = scripts / "napari-active-seg"
    said = subprocess.run([verb, "--version"], cwd=work, capture_output=True, text=True, check=True)
    assert said.stdout.strip() == napari_active_seg.__version__


def test_the_version_is_the_same_everywhere():
    version = napari_active_seg.__version__
    assert "version" in PROJECT["dynamic"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert str(citation["version"]) == version
    assert f'version = "{version}"' in (ROOT / "recipe" / "meta.yaml").read_text()


def test_the_recipe_asks_for_what_the_package_asks_for():
    recipe = (ROOT / "recipe" / "meta.yaml").read_text()
    run = recipe.split("  run:\n")[1].split("\ntest:")[0]
    asked = dict(re.findall(r"- ([\w-]+) (>=[\d.]+)", run))
    other_names = {"torch": "pytorch", "matplotlib": "matplotlib-base"}
    for line in PROJECT["dependencies"]:
        name, least = re.match(r"([\w-]+)(>=[\d.]+)", line).groups()
        assert asked.pop(other_names.get(name, name)) == least
    assert asked == {"python": PROJECT["requires-python"]}


def test_metadata_for_the_hub_and_for_readers_is_complete():
    assert {"Homepage", "Documentation", "Bug tracker", "Source code"} <= set(PROJECT["urls"])
    assert "Framework :: napari" in PROJECT["classifiers"]
    for minor in (11, 12, 13):
        assert f"Programming Language :: Python :: 3.{minor}" in PROJECT["classifiers"]
    hub = yaml.safe_load((ROOT / ".napari-hub" / "config.yml").read_text())
    assert hub["summary"] and hub["labels"]["terms"]
    assert len((ROOT / ".napari-hub" / "DESCRIPTION.md").read_text().split()) > 100
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["license"] == PROJECT["license"] and citation["cff-version"] == "1.2.0"


def test_the_workflow_tries_three_systems_and_all_pythons():
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "tests.yml").read_text())
    matrix = workflow["jobs"]["systems"]["strategy"]["matrix"]
    assert {name.split("-")[0] for name in matrix["os"]} == {"ubuntu", "macos", "windows"}
    assert matrix["python"] == ["3.11", "3.12", "3.13"]
    linux = workflow["jobs"]["linux"]["steps"]
    assert any(step.get("run") == "bash .ci/run" for step in linux)
