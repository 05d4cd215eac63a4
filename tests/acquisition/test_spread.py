"""A round is spread over the images: limits by share, and draws that keep every chance the same."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pools import candidate, image, rng, search

from napari_active_seg.acquisition import (
    STRATEGIES,
    Budget,
    BudgetTracker,
    PoolImage,
    Strategy,
    draw_windows,
    gather,
)
from napari_active_seg.errors import ConfigError

_PUBLISHED = {
    "core-set-regions", "power-regions", "softmax-regions", "clasp-regions", "batch-bald-regions",
    "foreground-regions", "crops", "crops-per-cost",
}  # fmt: skip


def take_greedily(ledger, places):
    """Take the first place that is allowed, until none is."""
    left, taken = np.ones(len(places), bool), []
    while (allowed := ledger.allowed(places, left)).any():
        index = int(np.argmax(allowed))
        left[index] = False
        ledger.take(places[index])
        taken.append(places[index])
    return taken


@given(
    st.lists(st.integers(0, 12), min_size=1, max_size=8),
    st.integers(1, 20),
    st.floats(0.05, 1.0),
    st.integers(0, 1000),
)
def test_no_image_takes_more_than_its_share_unless_the_budget_needs_it(sizes, count, share, seed):
    places = [candidate(f"i{k}", y=9 * n) for k, size in enumerate(sizes) for n in range(size)]
    rng(seed).shuffle(places)
    taken = take_greedily(BudgetTracker(Budget(count), per_image_share=share), places)
    assert len(taken) == min(count, len(places))  # the budget is spent as far as there is room
    most = max(Counter(c.region.image_id for c in taken).values(), default=0)
    limit = max(1, int(share * count + 1e-9))
    while sum(min(limit, size) for size in sizes) < len(taken):
        limit += 1  # too few images for the round: all give as little more as fills it
    assert most <= limit


def test_with_fewer_images_than_the_limit_needs_each_gives_the_same_number():
    places = [candidate(f"i{k % 3}", y=9 * k, value=9.0 - k) for k in range(30)]
    taken = take_greedily(BudgetTracker(Budget(8), per_image_share=0.25), places)
    assert sorted(Counter(c.region.image_id for c in taken).values()) == [2, 3, 3]


def test_without_a_share_nothing_is_limited():
    places = [candidate("a", y=9 * k) for k in range(9)]
    assert len(take_greedily(BudgetTracker(Budget(6)), places)) == 6


def test_share_holds_for_what_a_budget_counts():
    large = [candidate("a", y=40 * k, side=30, seconds=60) for k in range(4)]
    small = [candidate(f"b{k}", side=10, seconds=10) for k in range(9)]
    for budget in (Budget(3600, "pixels"), Budget(4, "minutes")):
        taken = take_greedily(BudgetTracker(budget, per_image_share=0.25), [*large, *small])
        of_large = [c for c in taken if c.region.image_id == "a"]
        assert of_large == large[: len(of_large)] and taken[1:10] == small
        assert taken[0] == large[0]  # a quarter of the budget each: no second one before the rest


def test_drawn_regions_count_towards_their_image_and_are_paid_before():
    control = candidate("a", y=900)
    places = [candidate("a", y=9 * k) for k in range(5)] + [candidate(f"b{k}") for k in range(9)]
    ledger = BudgetTracker(Budget(8), per_image_share=0.25, drawn=[control])
    assert ledger.spent.regions == 0
    taken = take_greedily(ledger, places)
    assert sum(c.region.image_id == "a" for c in taken) == 1


def test_limited_search_offers_enough_of_other_images():
    maps = [np.full((64, 64), value) for value in (0.9, 0.5, 0.4, 0.3)]
    pool = [image(values, f"i{k}") for k, values in enumerate(maps)]
    few = search(most=4, size=16, stride=16)
    assert {c.region.image_id for c in gather(pool, few, rng())} == {"i0"}
    limited = search(most=4, size=16, stride=16, limited=True, prunes=False)
    found = Counter(c.region.image_id for c in gather(pool, limited, rng()))
    assert found == {"i0": 4, "i1": 4, "i2": 4, "i3": 4}


# --- draws ---------------------------------------------------------------------------------------


def test_spread_draws_fall_into_as_many_images_as_there_are_draws():
    pool = [PoolImage(f"i{k}", (60, 60)) for k in range(16)]
    for seed in range(40):
        drawn = draw_windows(pool, count=8, size=8, rng=rng(seed), spread=True)
        assert len({c.region.image_id for c in drawn}) == 8


def test_spread_draws_are_shared_out_by_free_places_and_each_place_has_the_same_chance():
    pool = [PoolImage("a", (20, 37)), PoolImage("b", (20, 17)), PoolImage("c", (20, 17))]
    places = [13 * 30, 13 * 10, 13 * 10]
    draws = [draw_windows(pool, count=3, size=8, rng=rng(s), spread=True) for s in range(900)]
    for number in range(3):  # the first draw, the second and the third: each is uniform by itself
        share = Counter(d[number].region.image_id for d in draws if len(d) > number)
        found = np.array([share[name] for name in "abc"]) / len(draws)
        assert found == pytest.approx(np.array(places) / sum(places), abs=0.06)
    assert {d[0].drawn_from for d in draws} == {sum(places)}
    assert {d[0].chance for d in draws} == {1 / sum(places)}
    middle = np.mean([d[0].region.x for d in draws if d[0].region.image_id == "a"])
    assert middle == pytest.approx(29 / 2, abs=1.5)


def test_spread_draws_do_not_overlap_and_end_where_there_is_no_room():
    pool = [PoolImage("a", (20, 20)), PoolImage("b", (8, 8))]
    drawn = draw_windows(pool, count=30, size=8, rng=rng(), spread=True)
    assert 2 <= len(drawn) <= 5
    assert not any(
        one.place.overlaps(two.place) for k, one in enumerate(drawn) for two in drawn[k + 1 :]
    )


# --- strategies ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", STRATEGIES)
def test_our_own_strategies_spread_and_those_of_papers_stay_as_they_are(name):
    strategy = STRATEGIES[name]
    is_of_a_paper = (
        name in _PUBLISHED
        or strategy.unit in ("images", "polygons")
        or (name == "faithful-regions")
    )
    assert strategy.per_image_share == (0.0 if is_of_a_paper else 0.25)


def test_share_is_a_part_of_any_strategy():
    power = STRATEGIES["power-regions"].with_parsed_changes({"per_image_share": "0.5"})
    assert power.per_image_share == 0.5 and power.limits_images
    assert not STRATEGIES["random-regions"].limits_images  # its draws are spread instead
    assert not STRATEGIES["random-images"].with_changes(per_image_share=0.5).limits_images
    for share in (-0.1, 1.5):
        with pytest.raises(ConfigError, match="per_image_share must be 0 to 1"):
            Strategy("mine", per_image_share=share)
