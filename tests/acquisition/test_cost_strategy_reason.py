import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_active_seg.acquisition import (
    STRATEGIES,
    CostModel,
    Strategy,
    reason_for_drawn,
    reason_for_uncertain,
    strategy_named,
    value_per_cost,
)
from napari_active_seg.errors import ConfigError
from napari_active_seg.regions import Region
from napari_active_seg.uncertainty import MomentStream


@given(st.lists(st.floats(0, 100), min_size=1, max_size=20), st.floats(0.1, 1e4))
def test_beta_zero_is_the_plain_order_exactly(information, cost):
    values = np.array(information)
    assert (value_per_cost(values, cost, alpha=1.0, beta=0.0) == values).all()


def test_value_is_information_to_alpha_over_cost_to_beta():
    found = value_per_cost(np.array([0.0, 0.3]), 4.0, alpha=2.0, beta=0.5)
    np.testing.assert_allclose(found, [0.0, 0.09 / 2])


def test_cost_grows_with_area_and_free_work_is_refused():
    cost = CostModel()
    small, large = Region("a", 0, 0, 64, 64), Region("a", 0, 0, 128, 128)
    assert 3 < cost.of(small) < cost.of(large) == pytest.approx(12)
    with pytest.raises(ConfigError):
        CostModel(0.0, 0.0)
    with pytest.raises(ConfigError):
        value_per_cost(np.ones(1), 0.0, alpha=1, beta=1)


def test_strategies_are_found_by_name_and_changed_by_word():
    strategy = strategy_named("uncertain-regions").with_changes(measure="entropy", size=64)
    assert (strategy.measure, strategy.size, strategy.step) == ("entropy", 64, 16)
    faithful = strategy_named("faithful-regions").with_changes(default_size=64)
    assert (faithful.size, faithful.step) == (150, 30)
    assert strategy_named("random-regions").with_changes(default_size=64).size == 64
    with pytest.raises(ConfigError, match="got 0"):
        strategy_named("random-regions").with_changes(size=0)
    assert set(STRATEGIES) == {"uncertain-regions", "faithful-regions", "random-regions"}
    with pytest.raises(ConfigError, match="did you mean 'random-regions'"):
        strategy_named("random")


@pytest.mark.parametrize("bad", [{"measure": "x"}, {"size": 4}, {"stride": -1}, {"beta": -0.1}])
def test_senseless_strategies_are_refused(bad):
    with pytest.raises(ConfigError):
        Strategy("s", **bad)


def moments(probs):
    stream = MomentStream()
    for p in probs:
        stream.add(np.broadcast_to(np.array(p)[:, None, None], (len(p), 20, 20)))
    return stream.moments()


def test_reason_names_the_two_classes_and_whether_passes_disagree():
    region, names = Region("a", 4, 4, 8, 8), ("stroma", "tumour", "other")
    agreeing = reason_for_uncertain(moments([[0.47, 0.52, 0.01]] * 3), region, names)
    assert agreeing.startswith("tumour 0.52 against stroma 0.47")
    assert "agree that it is unclear" in agreeing
    split = reason_for_uncertain(moments([[0.9, 0.1, 0], [0.1, 0.9, 0]]), region, names)
    assert "samples disagree" in split
    assert "BALD" not in reason_for_uncertain(moments([[0.4, 0.6, 0]]), region, names)


def test_reason_of_a_draw_says_from_how_many_places():
    assert "1,234 places" in reason_for_drawn(1234, start=True)
    assert reason_for_drawn(5, start=True) != reason_for_drawn(5, start=False)
