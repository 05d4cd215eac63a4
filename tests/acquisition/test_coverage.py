import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_active_seg.acquisition import describe_appearance, standardise_features
from napari_active_seg.acquisition.coverage import Coverage
from napari_active_seg.acquisition.selectors import FacilityLocation


def cover(points, count, labelled=()):
    order = FacilityLocation(np.asarray(points, float), np.asarray(labelled, float))
    allowed, taken = np.ones(len(points), bool), []
    for _ in range(count):
        taken.append(order.pick(allowed))
        allowed[taken[-1]] = False
    return taken, order


def test_one_of_each_heap_is_taken_the_largest_first_and_no_outlier():
    rng = np.random.default_rng(0)
    heaps = [((0, 0), 60), ((10, 0), 30), ((0, 10), 20)]
    points = np.concatenate([rng.normal(at, 0.3, (n, 2)) for at, n in heaps] + [[[40, 40]]])
    taken, order = cover(points, 3)
    heap = np.repeat([0, 1, 2, 3], [60, 30, 20, 1])[taken]
    assert sorted(heap.tolist()) == [0, 1, 2]
    shares = {int(h): order.share_of(i) for h, i in zip(heap, taken, strict=True)}
    assert shares[0] > shares[1] >= shares[2]
    assert sum(shares.values()) == 1


def test_what_is_labelled_stands_for_its_heap_already():
    rng = np.random.default_rng(1)
    points = np.concatenate([rng.normal((0, 0), 0.3, (60, 2)), rng.normal((10, 0), 0.3, (20, 2))])
    taken, _ = cover(points, 1, labelled=[(0, 0)])
    assert taken[0] >= 60


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 12), st.integers(0, 10_000))
def test_gains_are_those_of_a_literal_sum(n, seed):
    rng = np.random.default_rng(seed)
    points, labelled = rng.normal(size=(n, 3)), rng.normal(size=(2, 3))
    coverage = Coverage(points, labelled)
    first = int(rng.integers(n))
    coverage.add(first)
    known = [*labelled, points[first]]

    def all_distances(centres):
        return sum(min(np.linalg.norm(p - c) for c in centres) for p in points)

    literal = [all_distances(known) - all_distances([*known, p]) for p in points]
    np.testing.assert_allclose(coverage.gains(), literal, atol=1e-6)


def test_looks_tell_stains_and_textures_apart():
    rng = np.random.default_rng(2)

    def patch(colour, grain):
        noise = rng.normal(0, grain, (64, 64, 1))
        return np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8)

    kinds = [((200, 120, 180), 4), ((200, 120, 180), 40), ((90, 60, 150), 4)]
    looks = [describe_appearance(patch(*kind)) for kind in kinds for _ in range(6)]
    scaled = standardise_features(np.array(looks))
    apart = np.linalg.norm(scaled[:, None] - scaled[None], axis=2)
    kind = np.repeat([0, 1, 2], 6)
    same = kind[:, None] == kind[None, :]
    assert apart[same].max() < apart[~same].min()


def test_pictures_of_one_pixel_look_like_something():
    assert np.isfinite(describe_appearance(np.zeros((1, 1, 3), np.uint8))).all()
    same = standardise_features(np.ones((3, 4)))
    assert (same == 0).all()
