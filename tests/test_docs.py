"""What the docs say of networks and measures is what the program does."""

import re
from pathlib import Path

import pytest

from napari_active_seg.preset_names import PRESET_NAMES
from napari_active_seg.sampling_plan import METHODS
from napari_active_seg.uncertainty import MEASURES

TEXT = (Path(__file__).parents[1] / "docs" / "networks.md").read_text(encoding="utf-8")


def test_every_network_way_of_sampling_and_measure_is_described():
    for name in (*PRESET_NAMES, *METHODS):
        assert f"`{name}`" in TEXT
    rows = dict(re.findall(r"^\| `([\w-]+)` \|.*\| ([\w ]+) \|[^|]*\|$", TEXT, re.MULTILINE))
    for measure in MEASURES.values():
        assert rows[measure.name] == measure.unit


def test_network_of_ones_own_is_as_short_as_promised_and_works(tmp_path, monkeypatch):
    torch = pytest.importorskip("torch")
    from napari_active_seg.learning.networks.catalogue import build_network

    code = re.search(r"```python\n(.*?)```", TEXT, re.DOTALL)[1]
    assert len([line for line in code.splitlines() if line.strip()]) <= 15
    path = tmp_path / "mine.py"
    path.write_text(code)
    monkeypatch.setenv("NAPARI_ACTIVE_SEG_NETWORKS", f"mine={path}:build")
    network = build_network("mine", 3).network.eval()
    assert network.is_cut
    with torch.inference_mode():
        assert network(torch.rand(1, 3, 45, 50)).shape == (1, 3, 45, 50)
