"""Cached predictions: small, as exact as rankings need, and never more than they may be."""

import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import entr

from napari_active_seg.project.packed_moments import (
    compress,
    decompress,
    pack_moments,
    unpack_moments,
)
from napari_active_seg.project.prediction_cache import PredictionCache
from napari_active_seg.regions import Region
from napari_active_seg.uncertainty import MEASURES, MomentStream, Prediction


def moments_of(seed, n_classes=2, passes=8, shape=(24, 20), spread=3.0):
    rng = np.random.default_rng(seed)
    base = rng.normal(0, spread, (n_classes, *shape))
    stream = MomentStream()
    for _ in range(passes):
        logits = base + rng.normal(0, 0.7, base.shape)
        odds = np.exp(logits - logits.max(axis=0))
        stream.add((odds / odds.sum(axis=0)).astype(np.float32))
    return stream.moments()


def prediction_of(image_id, key, seed=0, **more):
    moments = moments_of(seed, **more)
    return Prediction(Region.whole(image_id, moments.shape), moments, key)


@given(st.integers(0, 10_000), st.integers(2, 5), st.integers(1, 12), st.floats(0.1, 8))
def test_what_comes_back_is_as_exact_as_maps_and_rankings_need(seed, n_classes, passes, spread):
    moments = moments_of(seed, n_classes, passes, spread=spread)
    packed = pack_moments(moments)
    stored = {k: decompress(compress(v), v.dtype.str, v.shape) for k, v in packed.items()}
    found = unpack_moments(stored, {})
    assert found.n == moments.n and (found.votes == moments.votes).all()
    assert np.abs(found.mean_p - moments.mean_p).max() < 2e-4
    np.testing.assert_allclose(found.mean_p.sum(axis=0), 1, atol=1e-6)
    relative = np.abs(found.mean_p - moments.mean_p) / np.maximum(moments.mean_p, 1e-4)
    assert relative.max() < 1.5e-3  # also where a class is nearly impossible
    bald, expected = (entr(m.mean_p).sum(axis=0) + m.mean_plogp for m in (found, moments))
    np.testing.assert_allclose(bald, np.maximum(expected, 0), rtol=2e-3, atol=1e-6)
    np.testing.assert_allclose(found.var_p, moments.var_p, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_what_is_certain_stays_certain(n_classes):
    stream = MomentStream()
    certain = np.zeros((n_classes, 4, 4), np.float32)
    certain[0, :2], certain[1, 2:] = 1, 1
    stream.add(certain)
    found = unpack_moments(pack_moments(stream.moments()), {})
    assert (found.mean_p == certain).all() and (found.mean_plogp == 0).all()


@pytest.mark.parametrize("name", ["bald", "entropy", "margin", "mean-std"])
def test_measures_of_what_comes_back_rank_pixels_alike(name):
    moments = moments_of(3, passes=20, shape=(120, 120))
    found = unpack_moments(pack_moments(moments), {})
    before, after = (MEASURES[name].compute(m).ravel() for m in (moments, found))
    assert np.corrcoef(before.argsort().argsort(), after.argsort().argsort())[0, 1] > 0.9999


def test_a_pixel_takes_a_third_of_what_its_moments_do(tmp_path):
    cache = PredictionCache(tmp_path)
    cache.save(prediction_of("a", "m001", passes=20, shape=(200, 200)))
    assert cache.size < 24 * 200 * 200 / 3


def test_maps_of_older_models_and_of_older_versions_go(tmp_path):
    cache = PredictionCache(tmp_path)
    for key in ("m001", "m002@tta", "m003"):
        cache.save(prediction_of("a", key))
    old = tmp_path / "m003" / "a.npz"
    old.write_bytes(b"x" * 1000)
    before = cache.size
    freed = cache.prune(keeps=lambda key: not key.startswith("m001"), limit=10**9)
    assert not (tmp_path / "m001").exists() and not old.exists()
    assert cache.has("m002@tta", "a") and cache.has("m003", "a")
    assert freed == before - cache.size > 1000


def test_what_was_written_longest_ago_goes_first_above_the_limit(tmp_path):
    cache = PredictionCache(tmp_path)
    for number in range(4):
        cache.save(prediction_of(f"image{number}", "m001"))
        written = max(tmp_path.rglob("*.maps"), key=lambda path: path.stat().st_mtime_ns)
        os.utime(written, (number, number))
    each = cache.size // 4
    cache.prune(keeps=lambda _key: True, limit=2 * each + each // 2)
    assert [cache.has("m001", f"image{k}") for k in range(4)] == [False, False, True, True]


def test_clearing_leaves_nothing_and_harms_nothing(tmp_path):
    cache = PredictionCache(tmp_path / "predictions")
    assert cache.clear() == 0
    cache.save(prediction_of("a", "m001"))
    assert cache.load("m001", "a") is not None
    assert cache.clear() > 0 and cache.size == 0
    assert cache.load("m001", "a") is None
    cache.save(prediction_of("a", "m001"))
    assert cache.load("m001", "a") is not None
