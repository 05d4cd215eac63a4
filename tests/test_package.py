"""What holds for the package as a whole."""

import ast
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from npe2 import PluginManifest
from npe2.types import PythonName

import napari_active_seg

ROOT = Path(__file__).parents[1]
PACKAGE = Path(napari_active_seg.__file__).parent


def modules_loaded_by(statement):
    code = f"import sys; {statement}; print(' '.join(sys.modules))"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(ended.stdout.split())


def test_import_loads_neither_torch_nor_qt_nor_napari():
    loaded = modules_loaded_by("import napari_active_seg")
    assert not loaded & {"torch", "qtpy", "PyQt6", "napari", "numpy", "pydantic", "matplotlib"}
    assert len([m for m in loaded if m.startswith("napari_active_seg")]) <= 2


@pytest.mark.parametrize("module", ["napari_active_seg", "napari_active_seg.api"])
def test_import_loads_no_studies(module):
    loaded = modules_loaded_by(f"import {module}")
    assert not [name for name in loaded if name.startswith("napari_active_seg.studies")]


def test_help_and_info_do_not_wait_for_torch():
    loaded = modules_loaded_by("import napari_active_seg.cli")
    assert not loaded & {"torch", "qtpy", "PyQt6", "napari"}


def test_public_names_are_there_and_others_are_not():
    for name in napari_active_seg.__all__:
        assert getattr(napari_active_seg, name) is not None
    assert set(napari_active_seg.__all__) <= set(dir(napari_active_seg))
    with pytest.raises(AttributeError):
        _ = napari_active_seg.nonsense


def test_both_manifests_are_the_same():
    assert (ROOT / "napari.yaml").read_bytes() == (PACKAGE / "napari.yaml").read_bytes()


@pytest.fixture(scope="module")
def manifest():
    return PluginManifest.from_distribution("napari-active-seg")


def test_manifest_is_valid_and_every_command_resolves(manifest):
    manifest.validate_imports()
    assert manifest.name == "napari-active-seg"
    for command in manifest.contributions.commands:
        assert callable(_resolve(command.python_name))


def test_reading_manifest_reader_and_samples_loads_no_qt():
    loaded = modules_loaded_by(
        "from npe2 import PluginManifest; import napari_active_seg.api; "
        "PluginManifest.from_distribution('napari-active-seg')"
    )
    assert not loaded & {"qtpy", "PyQt6", "napari", "torch"}
    assert "napari_active_seg._napari.dock_widget" not in loaded


def _resolve(name: PythonName):
    from importlib import import_module

    module, attribute = name.split(":")
    return getattr(import_module(module), attribute)


@pytest.mark.parametrize("kind", ["histology", "dermoscopy"])
def test_sample_data_command_gives_a_picture_with_its_truth(manifest, kind):
    (sample,) = [s for s in manifest.contributions.sample_data if s.key == kind]
    command = next(c for c in manifest.contributions.commands if c.id == sample.command)
    (image, facts, layer), (truth, _, other) = _resolve(command.python_name)()
    assert (layer, other) == ("image", "labels")
    assert facts["rgb"]
    assert image.shape[:2] == truth.shape
    assert truth.max() >= 1


def test_reader_command_takes_projects_and_nothing_else(manifest, project_folder, tmp_path):
    (reader,) = manifest.contributions.readers
    assert reader.filename_patterns == ["project.json"]
    assert reader.accepts_directories
    command = next(c for c in manifest.contributions.commands if c.id == reader.command)
    get_reader = _resolve(command.python_name)
    assert get_reader(str(tmp_path)) is None
    assert get_reader([str(project_folder)] * 2) is None
    for path in (str(project_folder), str(project_folder / "project.json"), [str(project_folder)]):
        ((pixels, facts, kind),) = get_reader(path)(path)
        assert kind == "image"
        assert pixels.shape == (96, 128, 3)
        assert facts["metadata"]["napari_active_seg_project"] == str(project_folder)


def sources():
    return [(p, ast.parse(p.read_text(encoding="utf-8"))) for p in PACKAGE.rglob("*.py")]


def test_nothing_is_ever_unpickled():
    for path, tree in sources():
        for node in ast.walk(tree):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            assert not {n.split(".")[0] for n in names} & {"pickle", "joblib", "dill"}, path
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "torch.load":
                given = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
                assert given.get("weights_only") == "True", path


def test_arrays_of_value_types_are_not_compared():
    from napari_active_seg.regions import Region, RegionLabel, RegionState

    label = RegionLabel(Region("a", 0, 0, 2, 2), np.zeros((2, 2), np.uint8), RegionState.DONE, "x")
    assert label != RegionLabel(label.region, label.target.copy(), label.state, "x")
