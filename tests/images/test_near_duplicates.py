import numpy as np
import pytest

from napari_active_seg.images import find_near_copies, perceptual_hash


def picture(seed, side=96):
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 255, (12, 16, 3)).astype(np.float32)
    return np.kron(coarse, np.ones((side // 12, side // 12, 1))).astype(np.uint8)


@pytest.mark.parametrize(
    "changed",
    [
        lambda a: a[:, ::-1],
        lambda a: a[::-1],
        lambda a: np.rot90(a),
        lambda a: np.rot90(a, 2)[:, ::-1],
        lambda a: a[::2, ::2],
        lambda a: (a * 0.8 + 20).astype(np.uint8),
        lambda a: np.clip(a + np.random.default_rng(0).normal(0, 6, a.shape), 0, 255).astype(
            np.uint8
        ),
    ],
    ids=["mirrored", "upside down", "turned", "turned over", "half", "paler", "noisy"],
)
def test_copies_look_alike(changed):
    image = picture(1)
    assert perceptual_hash(image).distance(perceptual_hash(changed(image))) <= 6


def test_others_do_not():
    hashes = [perceptual_hash(picture(seed)) for seed in range(30)]
    nearest = min(a.distance(b) for i, a in enumerate(hashes) for b in hashes[:i])
    assert nearest > 6


def test_pairs_across_splits_are_named_the_most_alike_first():
    hashes = {f"pool{k}": perceptual_hash(picture(k)) for k in range(4)}
    hashes["val"] = perceptual_hash(picture(2)[:, ::-1])
    hashes["other"] = perceptual_hash(picture(77))
    pool = [f"pool{k}" for k in range(4)]
    found = find_near_copies(hashes, pool, ["val", "other", "gone"])
    assert [(pair.first, pair.second) for pair in found] == [("pool2", "val")]
    assert find_near_copies(hashes, pool, pool) == ()  # an image is no copy of itself
    assert find_near_copies(hashes, [], ["val"]) == ()
