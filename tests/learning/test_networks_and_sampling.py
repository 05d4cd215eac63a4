import numpy as np
import pytest
import torch
from torch.nn.modules.dropout import _DropoutNd

from napari_active_seg.errors import StoppedError
from napari_active_seg.learning import sampling
from napari_active_seg.learning.modes import sampling_dropout, seeded
from napari_active_seg.learning.networks import FilterBankMLP, SmallUNet
from napari_active_seg.learning.sampling import (
    TorchMomentStream,
    image_to_tensor,
    sample_moments,
)
from napari_active_seg.uncertainty import MomentStream

CPU = torch.device("cpu")
NETWORKS = [FilterBankMLP, SmallUNet]


def built(kind, n_classes=3):
    with seeded(0, CPU):
        return kind(n_classes).eval()


def picture(shape=(37, 53), seed=0):
    return np.random.default_rng(seed).integers(0, 255, (*shape, 3), dtype=np.uint8)


def moments_of(net, image, samples=6, seed=0):
    return sample_moments(
        net, image, samples=samples, seed=seed, device=CPU, check_cancelled=lambda: None
    )


@pytest.mark.parametrize("kind", NETWORKS)
@pytest.mark.parametrize("shape", [(8, 8), (37, 53), (64, 96), (3, 50)])
@pytest.mark.parametrize("n_classes", [2, 5])
def test_network_takes_any_size_and_number_of_classes(kind, shape, n_classes):
    with torch.inference_mode():
        logits = built(kind, n_classes)(image_to_tensor(picture(shape), CPU))
    assert logits.shape == (1, n_classes, *shape)
    assert torch.isfinite(logits).all()


@pytest.mark.parametrize("kind", NETWORKS)
def test_prefix_and_middle_are_deterministic_while_dropout_samples(kind):
    net, x = built(kind), image_to_tensor(picture(), CPU)
    with torch.inference_mode(), sampling_dropout(net):
        one, two = (net.middle(net.prefix(x)) for _ in range(2))
        logits = [net.suffix(one, (37, 53)) for _ in range(2)]
    assert all(torch.equal(a, b) for a, b in zip(one, two, strict=True))
    assert not torch.equal(*logits)


@pytest.mark.parametrize(("kind", "most"), [(FilterBankMLP, 20_000), (SmallUNet, 2_000_000)])
def test_network_is_as_small_as_it_says(kind, most):
    assert sum(p.numel() for p in built(kind).parameters()) < most
    assert any(isinstance(layer, _DropoutNd) for layer in built(kind).modules())


@pytest.mark.parametrize("kind", NETWORKS)
def test_streamed_moments_equal_a_plain_loop_over_whole_forwards(kind):
    net, image = built(kind), picture()
    found = moments_of(net, image, samples=7, seed=3)
    reference = MomentStream()
    size = image.shape[:2]
    at_once = min(7, sampling._PIXELS_AT_ONCE // (size[0] * size[1]))
    with torch.inference_mode(), sampling_dropout(net), seeded(3, CPU):
        x = image_to_tensor(image, CPU)
        for start in range(0, 7, at_once):
            count = min(at_once, 7 - start)
            for p in net(x.expand(count, -1, -1, -1)).softmax(dim=1).numpy():
                reference.add(p)
    expected = reference.moments()
    for name in ("mean_p", "mean_plogp", "var_p"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), atol=2e-5)
    assert (found.votes != expected.votes).mean() < 0.01  # ties within float32 rounding


def test_torch_and_numpy_streams_agree_on_the_same_logits():
    logits = np.random.default_rng(0).normal(0, 4, (9, 4, 6, 5)).astype(np.float32)
    logits[0, :, 0, 0] = 1.0  # a tie goes to the first class in both
    ours, reference = TorchMomentStream(), MomentStream()
    ours.add(torch.tensor(logits))
    for row in logits.astype(np.float64):
        p = np.exp(row - row.max(axis=0))
        reference.add(p / p.sum(axis=0))
    found, expected = ours.moments(), reference.moments()
    for name in ("mean_p", "mean_plogp", "var_p"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), atol=1e-6)
    assert (found.votes == expected.votes).all()


def test_one_sample_is_a_plain_pass_without_dropout():
    net, image = built(SmallUNet), picture()
    found = moments_of(net, image, samples=1)
    with torch.inference_mode():
        expected = net(image_to_tensor(image, CPU)).softmax(dim=1)[0].numpy()
    np.testing.assert_allclose(found.mean_p, expected, atol=1e-6)
    assert found.var_p.max() == 0


@pytest.mark.parametrize("kind", NETWORKS)
def test_same_seed_same_maps_and_other_seed_other_maps(kind):
    net, image = built(kind), picture()
    first, again, other = (moments_of(net, image, seed=s) for s in (1, 1, 2))
    assert (first.mean_p == again.mean_p).all()
    assert not (first.mean_p == other.mean_p).all()


def test_tiles_agree_with_the_whole_image_without_seams(monkeypatch):
    net, image = built(FilterBankMLP), picture((120, 150))
    whole = moments_of(net, image, samples=5)
    monkeypatch.setattr(sampling, "_LARGEST_WHOLE", 60 * 60)
    monkeypatch.setattr(sampling, "_TILE", 100)
    monkeypatch.setattr(sampling, "_OVERLAP", 80)
    # The same passes must share a batch, or their masks are drawn in another order.
    monkeypatch.setattr(sampling, "_PIXELS_AT_ONCE", 1)
    tiled = moments_of(net, image, samples=5)
    monkeypatch.setattr(sampling, "_LARGEST_WHOLE", 10**9)
    whole = moments_of(net, image, samples=5)
    assert (tiled.votes.sum(axis=0) == 5).all()
    np.testing.assert_allclose(tiled.mean_p, whole.mean_p, atol=0.02)
    np.testing.assert_allclose(tiled.mean_p.sum(axis=0), 1, atol=1e-5)


def test_cancel_is_looked_at_between_passes(monkeypatch):
    monkeypatch.setattr(sampling, "_PIXELS_AT_ONCE", 1)
    calls = []

    def cancel_at_the_third():
        calls.append(1)
        if len(calls) == 3:
            raise StoppedError("stop")

    with pytest.raises(StoppedError):
        sample_moments(
            built(SmallUNet),
            picture(),
            samples=50,
            seed=0,
            device=CPU,
            check_cancelled=cancel_at_the_third,
        )
    assert len(calls) == 3
