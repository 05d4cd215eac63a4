"""A measure of another package, installed as a small distribution."""

import json

import numpy as np
import pytest

from napari_active_seg.acquisition import get_strategy
from napari_active_seg.errors import BadInputError, ConfigError
from napari_active_seg.project import Project
from napari_active_seg.uncertainty import (
    MEASURES,
    MomentStream,
    get_measure,
    measure_titles,
    registered,
)

CODE = """
import math
import numpy as np
from napari_active_seg.uncertainty import Measure

def spread(moments):
    return moments.var_p.max(axis=0)

def flat(moments):
    return moments.var_p

def undefined(moments):
    return np.full(moments.shape, np.nan)

def broken(moments):
    return moments.no_such_thing

halved = Measure("x", "Half the entropy", lambda m: -m.mean_plogp / 2, "nats", "us", math.log)
nothing = 7
"""
NAMES = ("spread", "flat", "undefined", "broken", "halved", "nothing", "missing", "entropy")


@pytest.fixture(autouse=True)
def installed(tmp_path, monkeypatch):
    """Install the package ``own_measures`` into a folder of its own."""
    site = tmp_path / "site"
    facts = site / "own_measures-1.0.dist-info"
    facts.mkdir(parents=True)
    (site / "own_measures.py").write_text(CODE)
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: own-measures\nVersion: 1.0\n")
    points = "".join(f"{name} = own_measures:{name}\n" for name in NAMES)
    (facts / "entry_points.txt").write_text(f"[napari_active_seg.measures]\n{points}")
    monkeypatch.syspath_prepend(str(site))
    registered._entry_points.cache_clear()
    yield
    registered._entry_points.cache_clear()


def moments():
    stream = MomentStream()
    rng = np.random.default_rng(0)
    for _ in range(3):
        p = rng.random((1, 4, 5), np.float32)
        stream.add(np.concatenate([p, 1 - p]))
    return stream.moments()


def test_a_function_and_a_measure_are_found():
    said = moments()
    found = get_measure("spread")
    assert (found.compute(said) == said.var_p.max(axis=0)).all()
    assert (found.title, found.unit, found.needs) == ("spread", "any scale", None)
    assert found.normalise(said).max() == 1
    halved = get_measure("halved")
    assert halved.title == "Half the entropy" and halved.name == "halved"
    assert halved.upper_bound(2) == pytest.approx(np.log(2))
    assert measure_titles()["spread"] == "spread"
    assert list(measure_titles())[: len(MEASURES)] == list(MEASURES)


def test_ours_are_not_replaced():
    assert get_measure("entropy") is MEASURES["entropy"]
    assert measure_titles()["entropy"] == MEASURES["entropy"].title


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("flat", r"returned the shape \(2, 4, 5\) for an image of \(4, 5\)"),
        ("undefined", "returned NaN or infinity"),
        ("broken", "failed .AttributeError: .*; correct its package, or choose another measure"),
    ],
)
def test_a_wrong_map_is_refused(name, words):
    with pytest.raises(BadInputError, match=words):
        get_measure(name).compute(moments())


def test_what_cannot_be_used_is_named():
    with pytest.raises(ConfigError, match="'missing' cannot be imported"):
        get_measure("missing")
    with pytest.raises(ConfigError, match="registered as 7, which computes nothing"):
        get_measure("nothing")
    with pytest.raises(ConfigError, match="no uncertainty measure 'spraed': did you mean 'spread'"):
        get_measure("spraed")


def test_a_project_asks_by_it(session, pool):
    """A setting, a strategy, a proposal and a map."""
    session.maintenance.configure(measure="spread")
    session.proposals.propose(count=3, size=32)
    session.labels.answer_from_masks(pool / "masks")
    session.train(preset="fast")
    session.predict()
    session.proposals.propose(count=2, size=32, strategy=get_strategy("uncertain-regions"))
    assert session.state.measure == "spread"
    assert all(region.information > 0 for region in session.state.open_regions[-2:])
    image_id = session.state.image_ids[0]
    variance = session.prediction(image_id).moments.var_p
    assert (session.uncertainty(image_id) == variance.max(axis=0)).all()


def test_a_project_opens_where_its_measure_is_damaged(session):
    """Settings are read without the code of the measure."""
    folder = session.project.folder
    session.close()
    settings = json.loads((folder / "project.json").read_text())
    (folder / "project.json").write_text(
        json.dumps(settings | {"acquisition": {"measure": "missing"}})
    )
    with Project.open(folder) as project:
        assert project.config.acquisition.measure == "missing"
