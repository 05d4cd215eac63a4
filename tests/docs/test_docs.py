"""What the docs say of networks and measures is what the program does."""

import re
from pathlib import Path

import numpy as np
import pytest

from napari_active_seg.acquisition import (
    AGGREGATES,
    CHANGEABLE,
    COSTS,
    DIVERSITIES,
    DRAWS,
    LEARNED,
    STRATEGIES,
    UNITS,
)
from napari_active_seg.models.inference_options import UNCERTAINTY_SOURCES
from napari_active_seg.models.preset_names import AUTO, PRESET_NAMES
from napari_active_seg.project import SETTINGS, StrategyOptions
from napari_active_seg.uncertainty import MEASURES

DOCS = Path(__file__).parents[2] / "docs"
TEXT = (DOCS / "networks.md").read_text(encoding="utf-8")


def test_every_network_way_of_sampling_and_measure_is_described():
    for name in (*PRESET_NAMES, *UNCERTAINTY_SOURCES):
        assert f"`{name}`" in TEXT
    rows = dict(re.findall(r"^\| `([\w-]+)` \|.*\| ([\w ]+) \|[^|]*\|$", TEXT, re.MULTILINE))
    for measure in MEASURES.values():
        assert rows[measure.name] == measure.unit


def test_settings_that_the_page_on_training_explains_exist():
    text = (DOCS / "training.md").read_text(encoding="utf-8")
    table = text[text.index("| setting | worth knowing |") :].partition("\n\n")[0]
    rows = re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)
    assert rows and set(rows) <= set(SETTINGS)
    for name in (*PRESET_NAMES, AUTO):
        assert f"`{name}`" in text


def test_network_of_ones_own_is_as_short_as_promised_and_works(tmp_path, monkeypatch):
    torch = pytest.importorskip("torch")
    from napari_active_seg.learning.networks.registry import build_network

    code = re.search(r"```python\n(.*?)```", TEXT, re.DOTALL)[1]
    assert len([line for line in code.splitlines() if line.strip()]) <= 15
    path = tmp_path / "mine.py"
    path.write_text(code)
    monkeypatch.setenv("NAPARI_ACTIVE_SEG_NETWORKS", f"mine={path}:build")
    network = build_network("mine", 3).network.eval()
    assert network.is_cut
    with torch.inference_mode():
        assert network(torch.rand(1, 3, 45, 50)).shape == (1, 3, 45, 50)


def test_every_part_of_a_strategy_is_described():
    text = (DOCS / "acquisition.md").read_text(encoding="utf-8")
    parts = (*STRATEGIES, *UNITS, *AGGREGATES, *COSTS, *LEARNED, *DIVERSITIES, *DRAWS, *CHANGEABLE)
    missing = [name for name in parts if f"`{name}`" not in text and f"`{name}=" not in text]
    assert missing in ([], ["measure"]) and "--measure" in text
    assert all(f"{key}" in text for key in StrategyOptions.list_fields())


def test_costs_are_described_at_the_rates_that_they_have():
    text = (DOCS / "acquisition.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \| (3 \+ .*?) \|$", text, re.MULTILINE))
    for name, model in COSTS.items():
        said = [float(number) for number in re.findall(r"\d+(?:\.\d+)?", rows[name])]
        assert said[0] == model.base_s
        rates = (model.per_boundary, model.per_click, *model.per_class[:2])
        assert {rate for rate in rates if rate} <= set(said)
        assert model.per_pixel in said or (9 in said and model.per_pixel == 9 / 128**2)


def test_every_figure_and_calibration_is_described():
    from napari_active_seg.calibration import METHODS as CALIBRATIONS
    from napari_active_seg.metrics import EvalReport
    from napari_active_seg.regions import Region
    from napari_active_seg.uncertainty import MomentStream, Prediction

    text = (DOCS / "trust.md").read_text(encoding="utf-8")
    rng = np.random.default_rng(0)
    p = rng.random((20, 20))
    stream = MomentStream()
    stream.add(np.stack([1 - p, p]))
    said = Prediction(Region.whole("a", (20, 20)), stream.moments(), "m")
    target = (rng.random((20, 20)) < p).astype(np.uint8)
    report = EvalReport.empty(("background", "gland")).add(said, target)
    for name in report.figures():
        general = re.sub(r"/(background|gland)$", "/NAME", name)
        general = re.sub(r"^(sparsification\w*)/.*", r"\1/MEASURE", general)
        assert f"`{general}`" in text, general
    assert all(f"`{name}`" in text for name in CALIBRATIONS)


def test_every_key_and_tool_of_the_desktop_is_described():
    from napari_active_seg.gui.annotate.shortcuts import ACTIONS, describe_key
    from napari_active_seg.gui.film_strip import FILTERS, ORDERS

    text = (DOCS / "desktop.md").read_text(encoding="utf-8")
    rows = [
        f"| {describe_key(a.right)} | {describe_key(a.left)} | {a.description} |"
        for a in ACTIONS.values()
    ]
    assert [row for row in rows if row not in text] == []
    assert [word for word in (*FILTERS, *ORDERS) if word not in text] == []


def test_every_export_format_is_described():
    from napari_active_seg.export import EXPORTERS

    text = (DOCS / "export.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([\w-]+)` \|.*?\| (.*?) \|", text, re.MULTILINE)
    assert [name for name, _ in rows] == list(EXPORTERS)
    for name, unlabelled in rows:
        assert (unlabelled != "cannot be said") == EXPORTERS[name].keeps_unlabelled
