import numpy as np
import pytest

from napari_active_seg.studies.datasets.redundancy import original_of
from napari_active_seg.studies.segmentation.embedding_map import draw_seen, flattened, spread_of
from napari_active_seg.studies.segmentation.selection_summary import Chosen

IDS = np.array(["a.png", "a_copy1.png", "a_copy2.png", "b.png", "b_copy1.png", "c.png"])


def chosen(*, given, every, ids=IDS):
    seen = np.zeros((len(ids), 2), np.float32)
    mask = np.isin(ids, every)
    return Chosen(ids, seen, np.isin(ids, given), mask, mask)


def test_a_batch_that_collapsed_lies_nearer_than_chance():
    rng = np.random.default_rng(0)
    seen = np.concatenate([rng.normal(c, 0.05, (20, 5)) for c in rng.normal(0, 1, (5, 5))])
    one_cluster = np.arange(100) < 10
    spread = np.zeros(100, bool)
    spread[::20] = True
    assert spread_of(seen, one_cluster) < 0.7 < 1.2 < spread_of(seen, spread)
    assert np.isnan(spread_of(seen, np.arange(100) < 1))
    places = flattened(seen)
    assert places.std(axis=0) == pytest.approx([1, 1])
    assert (flattened(np.ones((4, 3))) == 0).all()
    figure = draw_seen(places, dict.fromkeys("abcde", one_cluster))
    assert sum(axes.get_visible() for axes in figure.axes) == 5


def test_a_photograph_is_new_once():
    assert chosen(given=["a.png"], every=["b.png", "c.png"]).new == 1
    assert chosen(given=["a.png"], every=["a_copy2.png", "b.png"]).new == 0.5
    assert chosen(given=["c.png"], every=["b_copy1.png", "b.png"]).new == 0.5
    assert chosen(given=["a_copy1.png"], every=["a.png", "a_copy2.png"]).new == 0


def test_only_copies_are_taken_for_copies():
    assert chosen(given=[], every=["a.png"]).has_copies
    others = np.array(["a.png", "a.tif", "b_copy.png", "b.png"])
    assert not chosen(given=[], every=["a.png"], ids=others).has_copies
    assert original_of("a_copy12.png") == "a.png" and original_of("b_copy.png") == "b_copy.png"
