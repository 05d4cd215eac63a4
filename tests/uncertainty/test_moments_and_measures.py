import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_active_seg.errors import BadInputError, ConfigError, NothingToDoError
from napari_active_seg.uncertainty import (
    MEASURES,
    Moments,
    MomentStream,
    count_above,
    get_measure,
    high_entropy_count,
)


def entropy(p):
    return -sum(q * math.log(q) for q in p if q > 0)


def passes(t, c, seed=0, shape=(4, 5), sharpness=2.0):
    rng = np.random.default_rng(seed)
    logits = sharpness * rng.standard_normal((t, c, *shape))
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    return p / p.sum(axis=1, keepdims=True)


def streamed(probs, **extras):
    stream = MomentStream()
    for p in probs:
        stream.add(p)
    return replace(stream.moments(), extras={k.replace("_", "-"): v for k, v in extras.items()})


def extras_for(c, seed=3, shape=(4, 5)):
    rng = np.random.default_rng(seed)
    maps = {n: rng.random(shape, np.float32) for n in ("learned_loss", "discriminator", "random")}
    return {**maps, "mirrored": passes(1, c, seed + 1, shape)[0].astype(np.float32)}


def slow(name, probs, extras):
    """Each measure pixel by pixel, in Python floats, from all passes at once."""
    t, c, height, width = probs.shape
    out = np.zeros((height, width))
    for y in range(height):
        for x in range(width):
            p = [[float(probs[i, k, y, x]) for k in range(c)] for i in range(t)]
            mean = [sum(p[i][k] for i in range(t)) / t for k in range(c)]
            h = -sum(m * math.log(m) for m in mean if m > 0)
            expected_h = -sum(q * math.log(q) for row in p for q in row if q > 0) / t
            winners = [max(range(c), key=lambda k, row=row: row[k]) for row in p]
            ranked = sorted(mean, reverse=True)
            twin = [float(q) for q in extras["mirrored"][:, y, x]]
            between = [(m + q) / 2 for m, q in zip(mean, twin, strict=True)]
            std = [math.sqrt(sum((p[i][k] - mean[k]) ** 2 for i in range(t)) / t) for k in range(c)]
            out[y, x] = {
                "entropy": h,
                "bald": h - expected_h,
                "expected-entropy": expected_h,
                "equal-al": h + entropy(twin),
                "flip-disagreement": entropy(between) - (h + entropy(twin)) / 2,
                "learned-loss": float(extras["learned_loss"][y, x]),
                "discriminator": 1 - float(extras["discriminator"][y, x]),
                "random": float(extras["random"][y, x]),
                "variation-ratio": 1 - ranked[0],
                "vote-variation-ratio": 1 - max(winners.count(k) for k in range(c)) / t,
                "mean-std": sum(std) / c,
                "margin": 1 - (ranked[0] - ranked[1]),
                "least-confidence": (1 - ranked[0]) * c / (c - 1),
            }[name]
    return out


@pytest.mark.parametrize("name", MEASURES)
@pytest.mark.parametrize(("t", "c"), [(1, 2), (20, 2), (7, 9)])
def test_measure_equals_the_slow_loop(name, t, c):
    probs, extras = passes(t, c), extras_for(c)
    found = MEASURES[name].compute(streamed(probs, **extras))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, slow(name, probs, extras), atol=2e-6)


@pytest.mark.parametrize("name", MEASURES)
@settings(max_examples=25, deadline=None)
@given(st.integers(1, 6), st.integers(2, 5), st.integers(0, 1000), st.floats(0, 200))
def test_measure_is_finite_and_between_zero_and_its_bound(name, t, c, seed, sharpness):
    probs = passes(t, c, seed, sharpness=sharpness).astype(np.float16)
    moments = streamed(probs, **extras_for(c, seed))
    values = MEASURES[name].normalise(moments)
    assert np.isfinite(values).all()
    assert values.min() >= 0
    assert values.max() <= 1 + 5e-3  # float16 probabilities do not quite sum to 1


@pytest.mark.parametrize("name", [n for n, m in MEASURES.items() if not m.needs])
def test_certain_pixels_score_zero_and_the_bound_is_reached(name):
    certain = np.zeros((6, 3, 1, 1))
    certain[:, 1] = 1.0
    assert MEASURES[name].compute(streamed(certain)).max() == 0
    disagreeing = np.zeros((6, 3, 1, 1))  # each class certain in a third of the passes
    for t in range(6):
        disagreeing[t, t % 3] = 1.0
    unclear = np.full((6, 3, 1, 1), 1 / 3)
    worst = unclear if name == "expected-entropy" else disagreeing
    np.testing.assert_allclose(MEASURES[name].normalise(streamed(worst)), 1, rtol=1e-6)


def test_bald_is_zero_where_all_passes_agree_that_it_is_unclear():
    same = np.full((9, 2, 3, 3), 0.5)
    moments = streamed(same)
    assert get_measure("bald").compute(moments).max() == 0
    np.testing.assert_allclose(get_measure("entropy").compute(moments), math.log(2), rtol=1e-6)


def test_bald_is_zero_for_a_single_pass():
    moments = streamed(passes(1, 4).astype(np.float32))
    assert get_measure("bald").compute(moments).max() < 1e-6


def test_variance_does_not_cancel_where_passes_nearly_agree():
    rng = np.random.default_rng(1)
    small = 1e-5 * rng.standard_normal((50, 1, 8, 8))
    probs = np.concatenate([0.7 + small, 0.3 - small], axis=1)
    var = streamed(probs).var_p
    np.testing.assert_allclose(var, probs.var(axis=0), rtol=1e-4)
    assert not np.allclose(  # the textbook formula fails here, in float32
        (probs.astype(np.float32) ** 2).mean(0) - probs.astype(np.float32).mean(0) ** 2,
        probs.var(axis=0),
        rtol=0.1,
        atol=0,
    )


def test_votes_sum_to_the_number_of_passes():
    assert (streamed(passes(13, 4)).votes.sum(axis=0) == 13).all()


def test_moments_without_a_pass_or_with_odd_shapes_are_refused():
    with pytest.raises(BadInputError, match="no prediction"):
        MomentStream().moments()
    with pytest.raises(BadInputError, match="axes"):
        MomentStream().add(np.ones((2, 2)))
    m = streamed(passes(2, 2))
    with pytest.raises(BadInputError, match="unlike shapes"):
        Moments(2, m.mean_p, m.mean_plogp[:1], m.var_p, m.votes)


@pytest.mark.parametrize("name", [n for n, m in MEASURES.items() if m.needs])
def test_measure_without_what_it_needs_says_so(name):
    moments = streamed(passes(3, 2))
    assert not MEASURES[name].can_be_computed(moments)
    with pytest.raises(NothingToDoError, match=MEASURES[name].needs):
        MEASURES[name].compute(moments)


def test_mirrored_twins_that_agree_show_no_disagreement_and_opposites_all_of_it():
    certain = np.zeros((1, 2, 1, 2))
    certain[0, 1] = 1.0
    twin = certain[0].astype(np.float32).copy()
    twin[:, 0, 1] = twin[::-1, 0, 1]
    moments = streamed(certain, mirrored=twin)
    found = get_measure("flip-disagreement").compute(moments)
    np.testing.assert_allclose(found, [[0, math.log(2)]], rtol=1e-6)
    assert get_measure("equal-al").compute(moments).max() == 0  # as printed: no consistency


def test_moments_refuse_extras_that_are_unknown_or_of_another_size():
    moments = streamed(passes(2, 2))
    for extras in ({"mirored": np.zeros((2, 4, 5))}, {"contour": np.zeros((5, 4))}):
        with pytest.raises(BadInputError, match="does not belong"):
            replace(moments, extras=extras)


def test_pixels_above_a_threshold_are_counted_on_normalised_entropy():
    p = np.array([0.5, 0.9, 0.84, 0.999])
    moments = streamed(np.stack([p, 1 - p])[None, :, None])
    shares = [-(q * math.log(q) + (1 - q) * math.log(1 - q)) / math.log(2) for q in p]
    assert high_entropy_count(moments) == sum(share > 0.6 for share in shares) == 2
    assert count_above(np.array([0.1, np.nan, 0.7]), 0.6) == 1


def test_unknown_measure_offers_the_nearest():
    with pytest.raises(ConfigError, match="did you mean 'entropy'"):
        get_measure("entropi")
