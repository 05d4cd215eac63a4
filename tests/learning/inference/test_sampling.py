import numpy as np
import pytest
import torch
from tiny_networks import CPU, KINDS, built, moments_of, outputs_of, picture, sampler_of
from torch import nn

from napari_active_seg.errors import ConfigError, ModelError, StoppedError
from napari_active_seg.learning.inference import (
    NetworkPasses,
    TorchMomentStream,
    image_to_tensor,
    mc_passes,
    memory,
    predictor,
)
from napari_active_seg.learning.inference.dropout_masks import PassMasks
from napari_active_seg.learning.inference.memory import out_of_memory, peak_bytes
from napari_active_seg.learning.inference.test_time_augmentation import VIEWS
from napari_active_seg.learning.module_modes import sampling_dropout
from napari_active_seg.learning.networks import SmallUNet
from napari_active_seg.learning.networks.auxiliary_heads import (
    AuxiliaryHeads,
    Discriminator,
    LossPredictor,
)
from napari_active_seg.learning.networks.base import Network
from napari_active_seg.models.inference_options import InferenceOptions
from napari_active_seg.uncertainty import MomentStream, get_measure

STATISTICS = ("mean_p", "mean_plogp", "var_p")


def assert_alike(found, expected, atol=2e-5):
    for name in STATISTICS:
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), atol=atol)
    assert (found.votes != expected.votes).mean() < 0.01  # ties within float32 rounding


def looped(network, image, passes, seed=0, temperature=1.0):
    """Moments of whole forwards, one after the other, with the masks of their passes."""
    reference, x = MomentStream(), image_to_tensor(image, CPU)
    size = tuple(length + -length % network.stride for length in image.shape[:2])
    with torch.inference_mode(), sampling_dropout(network), PassMasks(network, seed) as masks:
        for number in range(passes):
            masks.at(number, 1, size=size)
            reference.add((network(x) / temperature).softmax(dim=1)[0].numpy())
    return reference.moments()


@pytest.mark.parametrize("kind", KINDS)
def test_streamed_moments_equal_a_plain_loop_over_whole_forwards(kind):
    network, image = built(kind), picture()
    found = moments_of(network, image, samples=5, seed=3)
    assert_alike(found, looped(network, image, 5, seed=3))


@pytest.mark.parametrize("c", [2, 4])
@pytest.mark.parametrize("sharpness", [4, 60])
def test_torch_and_numpy_streams_agree_on_the_same_logits(c, sharpness):
    logits = np.random.default_rng(0).normal(0, sharpness, (9, c, 6, 5)).astype(np.float32)
    logits[0, :, 0, 0] = 1.0  # a tie goes to the first class in both
    ours, reference = TorchMomentStream(), MomentStream()
    ours.add(torch.tensor(logits))
    for row in logits.astype(np.float64):
        p = np.exp(row - row.max(axis=0))
        reference.add(p / p.sum(axis=0))
    found, expected = ours.moments(), reference.moments()
    assert_alike(found, expected, atol=1e-6)
    assert (found.votes == expected.votes).all()
    np.testing.assert_allclose(ours.mean.numpy(), found.mean_p)


@pytest.mark.parametrize("kind", KINDS)
def test_how_passes_are_batched_changes_nothing(kind, monkeypatch):
    network, image = built(kind), picture()
    apart, together = [], []
    for budget, kept in ((1, apart), (10**9, together)):
        monkeypatch.setattr(mc_passes, "memory_budget", lambda _, b=budget: b)
        kept.append(moments_of(network, image, samples=6))
    assert_alike(together[0], apart[0])
    assert apart[0].var_p.max() > 0


def test_one_sample_and_a_single_pass_are_plain_passes_without_dropout():
    network, image = built("unet"), picture()
    with torch.inference_mode():
        expected = network(image_to_tensor(image, CPU)).softmax(dim=1)[0].numpy()
    for plan in ({"samples": 1}, {"uncertainty_from": "single", "samples": 20}):
        found = moments_of(network, image, **plan)
        np.testing.assert_allclose(found.mean_p, expected, atol=1e-6)
        assert found.n == 1
        assert found.var_p.max() == 0


@pytest.mark.parametrize("kind", KINDS)
def test_same_seed_same_maps_to_the_bit_and_other_seed_other_maps(kind):
    network, image = built(kind), picture()
    first, again, other = (moments_of(network, image, samples=4, seed=s) for s in (1, 1, 2))
    assert (first.mean_p == again.mean_p).all()
    assert not (first.mean_p == other.mean_p).all()


def test_maps_do_not_depend_on_what_was_asked_before():
    network = built("unet")
    asked = sampler_of(network)
    plan = InferenceOptions(samples=5)
    asked.outputs(picture((64, 64), seed=1), plan, lambda: None)
    first = asked.outputs(picture(), plan, lambda: None)
    torch.rand(3)
    again = asked.outputs(picture(), plan, lambda: None)
    fresh = outputs_of(network, picture(), samples=5)
    for other in (again, fresh):
        assert (first.moments.mean_p == other.moments.mean_p).all()


def test_sampling_leaves_the_network_and_the_random_state_as_they_were():
    network = built("unet").train()
    state, before = torch.random.get_rng_state(), network.state_dict()
    values = {name: value.clone() for name, value in before.items()}
    moments_of(network, picture(), samples=3)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(torch.equal(value, values[name]) for name, value in before.items())
    assert all(layer.training for layer in network.modules())
    assert not any(layer._forward_hooks for layer in network.modules())


def test_dropout_keeps_its_share_and_its_mean():
    class Ones(Network):
        def __init__(self):
            super().__init__()
            self.line = nn.Conv2d(3, 3, 1)
            self.drop = nn.Dropout(0.3)

        def prefix(self, images):
            return (images,)

        def suffix(self, features, size):
            return self.drop(torch.ones_like(features[0]))

    network = Ones()
    for origin in (None, (0, 0)):
        with PassMasks(network, 0) as masks, torch.inference_mode():
            masks.at(0, 2, size=(200, 200), origin=origin)
            dropped = network.suffix((torch.zeros(2, 3, 200, 200),), (200, 200))
        assert (dropped == 0).float().mean().item() == pytest.approx(0.3, abs=0.01)
        assert dropped.mean().item() == pytest.approx(1, abs=0.02)
        assert dropped.max().item() == pytest.approx(1 / 0.7)
        assert not torch.equal(dropped[0], dropped[1])


# --- tiles ---------------------------------------------------------------------------------------


@pytest.fixture
def small_tiles(monkeypatch):
    def use(side, overlap):
        monkeypatch.setattr(predictor, "_LARGEST_WHOLE", 60 * 60)
        monkeypatch.setattr(predictor, "_TILES", (side,))
        monkeypatch.setattr(predictor, "_OVERLAP", overlap)

    return use


@pytest.mark.parametrize("kind", ["fast", "unet"])
def test_tiles_agree_with_the_whole_image_without_seams(kind, small_tiles):
    network, image = built(kind), picture((200, 230))
    whole = moments_of(network, image, samples=5)
    small_tiles(128, 80)
    tiled = moments_of(network, image, samples=5)
    assert (tiled.votes.sum(axis=0) == 5).all()
    np.testing.assert_allclose(tiled.mean_p.sum(axis=0), 1, atol=1e-5)
    np.testing.assert_allclose(tiled.mean_p, whole.mean_p, atol=0.02)
    bald = get_measure("bald")
    spread = bald.compute(whole)
    np.testing.assert_allclose(bald.compute(tiled), spread, atol=0.25 * spread.max())
    for values, reference in ((tiled.mean_p[1], whole.mean_p[1]), (bald.compute(tiled), spread)):
        for axis in (0, 1):  # no line along which neighbours differ more than without tiles
            steps = np.abs(np.diff(values - reference, axis=axis)).mean(axis=1 - axis)
            typical = np.abs(np.diff(reference, axis=axis)).mean()
            assert steps.max() < 0.25 * typical + 1e-6


@pytest.mark.parametrize("kind", ["dcan", "dcan code"])
def test_masks_of_single_pixels_hang_on_the_place_in_the_image(kind):
    """Two tiles that overlap meet the same mask where they do, whatever their corners."""
    network = built(kind)
    seen = []
    for origin in ((0, 0), (32, 64)):
        with torch.inference_mode(), sampling_dropout(network), PassMasks(network, 7) as masks:
            masks.at(3, 1, size=(128, 128), origin=origin)
            layer = network.sampled_dropout()[0]
            seen.append(layer(torch.ones(1, 4, 16, 16))[0])
    assert torch.equal(seen[0][:, 4:, 8:], seen[1][:, :12, :8])
    assert 0 < (seen[0] == 0).float().mean() < 1


def test_one_mask_a_pass_serves_all_tiles(small_tiles):
    """With one mask for all tiles, a flat picture gives a flat map; with one each, a chequered."""
    network, flat = built("unet"), np.full((160, 320, 3), 128, np.uint8)
    small_tiles(128, 32)
    inner = moments_of(network, flat, samples=4).mean_p[:, 64:96, 64:256]
    assert np.ptp(inner, axis=(1, 2)).max() < 1e-3


def test_blended_bald_does_not_count_what_tiles_disagree_on():
    from napari_active_seg.learning.inference.tile_blending import (
        MapBlender,
        add_moments,
        blended_moments,
    )
    from napari_active_seg.regions import tile_grid

    blender = MapBlender((8, 12), overlap=4)
    for number, tile in enumerate(tile_grid((8, 12), tile=8, overlap=4)):
        p = np.full((8, 8), 0.1 + 0.8 * number)
        stream = MomentStream()
        for _ in range(3):  # all passes agree, but the tiles do not
            stream.add(np.stack([p, 1 - p]))
        add_moments(blender, stream.moments(), tile)
    moments = blended_moments(blender, 3)
    assert 0.1 < moments.mean_p[0, 4, 6] < 0.9
    assert get_measure("bald").compute(moments).max() < 1e-6
    assert get_measure("entropy").compute(moments)[4, 6] > 0.4


def test_extras_joint_samples_and_embeddings_come_tile_by_tile_too(small_tiles):
    network, image = built("dcan"), picture((200, 150))
    whole = outputs_of(network, image, samples=2, extras=("contour", "mirrored"), joint_stride=8)
    embedded = sampler_of(network).embedding(
        image, InferenceOptions(uncertainty_from="single"), lambda: None
    )
    small_tiles(128, 48)
    tiled = outputs_of(network, image, samples=2, extras=("contour", "mirrored"), joint_stride=8)
    for name in ("contour", "mirrored"):
        found, expected = tiled.moments.extras[name], whole.moments.extras[name]
        assert found.shape == expected.shape
        np.testing.assert_allclose(found, expected, atol=0.15)
    assert tiled.samples.shape == whole.samples.shape == (2, 3, 25, 19)
    np.testing.assert_allclose(tiled.samples.sum(axis=1), 1, atol=1e-5)
    parts = sampler_of(network).embedding(
        image, InferenceOptions(uncertainty_from="single"), lambda: None
    )
    assert parts.shape == embedded.shape


# --- other opinions ------------------------------------------------------------------------------


@pytest.mark.parametrize("view", VIEWS)
def test_view_and_back_is_the_same(view):
    planes = torch.rand(2, 3, 5, 7)
    assert torch.equal(view.back(view.of(planes)), planes)


def test_views_are_eight_different_ones():
    planes = torch.rand(1, 4, 4)
    seen = [view.of(planes) for view in VIEWS]
    assert len({tuple(s.flatten().tolist()) for s in seen}) == 8


def test_views_average_plain_passes_over_flips_and_turns():
    network, image = built("unet"), picture()
    found = moments_of(network, image, uncertainty_from="views", samples=20)
    reference, x = MomentStream(), image_to_tensor(image, CPU)
    with torch.inference_mode():
        for turns in range(4):
            for mirrored in (False, True):
                seen = torch.rot90(x.flip(-1) if mirrored else x, turns, (-2, -1))
                back = torch.rot90(network(seen).softmax(1), -turns, (-2, -1))
                reference.add((back.flip(-1) if mirrored else back)[0].numpy())
    assert found.n == 8
    assert_alike(found, reference.moments())


def test_ensemble_streams_the_members_into_one_set_of_moments():
    networks, image = [built("unet", seed=s) for s in range(3)], picture()
    outputs = sampler_of(*networks).outputs(
        image, InferenceOptions(uncertainty_from="ensemble"), lambda: None
    )
    reference, x = MomentStream(), image_to_tensor(image, CPU)
    with torch.inference_mode():
        for network in networks:
            reference.add(network(x).softmax(1)[0].numpy())
    assert outputs.moments.n == 3
    assert_alike(outputs.moments, reference.moments())
    mean_entropy = get_measure("expected-entropy").compute(outputs.moments)
    each = [
        get_measure("entropy").compute(moments_of(n, image, uncertainty_from="single"))
        for n in networks
    ]
    np.testing.assert_allclose(mean_entropy, np.mean(each, axis=0), atol=1e-5)


def test_temperature_divides_the_logits_of_each_pass():
    network, image = built("dcan"), picture()
    found = moments_of(network, image, samples=3, temperature=2.5)
    assert_alike(found, looped(network, image, 3, temperature=2.5))


def test_low_precision_stays_near_and_moments_stay_float32():
    network, image = built("unet"), picture((64, 64))
    full = moments_of(network, image, samples=3)
    low = moments_of(network, image, samples=3, precision="bfloat16")
    assert low.mean_p.dtype == np.float32
    assert 0 < np.abs(low.mean_p - full.mean_p).max() < 0.05


def test_plan_refuses_what_it_does_not_know():
    for wrong in (
        {"method": "dropuot"},
        {"samples": 0},
        {"temperature": 0.0},
        {"precision": "float16"},
        {"extras": ("contuor",)},
    ):
        with pytest.raises(ConfigError):
            InferenceOptions(**wrong)


# --- what a network can say besides --------------------------------------------------------------


def test_mirrored_twin_is_the_prediction_of_the_mirrored_image():
    network, image = built("unet"), picture()
    twin = moments_of(network, image, samples=3, extras=("mirrored",)).extras["mirrored"]
    with torch.inference_mode():
        x = image_to_tensor(image[:, ::-1].copy(), CPU)
        expected = network(x).softmax(1)[0].flip(-1).numpy()
    np.testing.assert_allclose(twin, expected, atol=1e-6)


def test_random_extra_is_seeded():
    network = built("fast")
    one, same, other = (
        moments_of(network, picture(), samples=1, seed=s, extras=("random",)).extras["random"]
        for s in (1, 1, 2)
    )
    assert (one == same).all()
    assert (one != other).any()


@pytest.mark.parametrize("kind", KINDS)
def test_learned_loss_fits_on_any_network(kind):
    network = built(kind)
    companions = AuxiliaryHeads(loss_predictor=LossPredictor.for_network(network))
    outputs = outputs_of(
        network, picture(), companions=companions, samples=2, extras=("learned-loss",)
    )
    found = outputs.moments.extras["learned-loss"]
    assert found.shape == (37, 53)
    assert (found >= 0).all()
    assert np.isfinite(found).all()


def test_discriminator_judges_prediction_beside_image():
    discriminator = Discriminator(3).eval()
    companions = AuxiliaryHeads(discriminator=discriminator)
    network, image = built("unet"), picture((64, 80))
    outputs = outputs_of(
        network, image, companions=companions, samples=2, extras=("discriminator",)
    )
    found = outputs.moments.extras["discriminator"]
    assert found.shape == (64, 80)
    assert 0 <= found.min() <= found.max() <= 1
    x = image_to_tensor(image, CPU)
    p = torch.from_numpy(outputs.moments.mean_p)[None]
    with torch.inference_mode():
        score, pooled = discriminator(p, x)
        places = discriminator.head(discriminator._features(p, x).movedim(1, -1))
    torch.testing.assert_close(score, places.mean(dim=(1, 2, 3)))  # the map's mean logit
    assert pooled.shape == (1, 512)
    assert discriminator(p[..., :3, :3], x[..., :3, :3])[0].shape == (1,)


def test_discriminator_does_not_outweigh_a_small_network_and_is_read_back_as_wide():
    def weights(module):
        return sum(p.numel() for p in module.parameters())

    small, large = built("unet"), nn.Conv2d(512, 3 * 2048, 3)
    judges = [Discriminator.for_network(network, 3) for network in (small, large)]
    assert [judge.body[0].out_channels for judge in judges] == [16, 64]  # the authors' has 64
    assert weights(judges[0]) < weights(small) and 4 * weights(judges[1]) < weights(large)
    for judge in judges:
        again = Discriminator.stored(judge.state_dict(), 3)
        again.load_state_dict(judge.state_dict())


@pytest.mark.parametrize("name", ["contour", "learned-loss", "discriminator"])
def test_output_that_the_model_lacks_is_refused_before_the_work(name):
    calls = []
    with pytest.raises(ModelError, match=f"no '{name}' output; .*tra"):
        outputs_of(built("unet"), picture(), lambda: calls.append(1), samples=2, extras=(name,))
    assert not calls


def test_joint_samples_are_the_probabilities_of_every_pass():
    outputs = outputs_of(built("unet"), picture((64, 48)), samples=6, joint_stride=4)
    assert outputs.samples.shape == (6, 3, 16, 12)
    expected = outputs.moments.mean_p.reshape(3, 16, 4, 12, 4).mean(axis=(2, 4))
    np.testing.assert_allclose(outputs.samples.mean(axis=0), expected, atol=1e-5)


# --- memory and stopping -------------------------------------------------------------------------


def test_live_bytes_are_counted_as_they_come_and_go():
    def work():
        first = torch.zeros(1000, 250)
        for _ in range(5):
            second = first + 1
            del second

    assert peak_bytes(work, CPU) == 2 * 1000 * 250 * 4


def test_memory_does_not_grow_with_the_number_of_passes(monkeypatch):
    network, image = built("unet"), picture((96, 96))
    monkeypatch.setattr(mc_passes, "memory_budget", lambda _: 1)
    asked = sampler_of(network)
    asked.outputs(
        image, InferenceOptions(samples=2), lambda: None
    )  # what a pass takes is known now
    few, many = (
        peak_bytes(lambda n=n: asked.outputs(image, InferenceOptions(samples=n), lambda: None), CPU)
        for n in (3, 60)
    )
    assert many == few


def test_batch_follows_from_the_memory_of_one_pass(monkeypatch):
    network, sizes = built("unet"), []
    suffix = network.suffix

    def watched(features, size):
        sizes.append(features[0].shape[0])
        return suffix(features, size)

    monkeypatch.setattr(network, "suffix", watched)
    passes = NetworkPasses(network, CPU)
    x = image_to_tensor(picture((64, 64)), CPU)
    one = InferenceOptions(samples=1)
    passes.run(x, one, lambda logits: None, lambda: None)
    taken = passes._bytes_per_pass[((64, 64), "float32")]
    monkeypatch.setattr(mc_passes, "memory_budget", lambda _: 4 * taken)
    passes.run(x, InferenceOptions(samples=11), lambda logits: None, lambda: None)
    assert sizes == [1, 1, 4, 4, 2]
    assert memory.memory_budget(CPU) > 0


def test_when_memory_runs_out_the_batch_is_halved_and_nothing_is_lost(monkeypatch):
    network, image = built("unet"), picture()
    expected = moments_of(network, image, samples=9)
    suffix, sizes = network.suffix, []

    def tight(features, size):
        count = features[0].shape[0]
        sizes.append(count)
        if count > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return suffix(features, size)

    monkeypatch.setattr(network, "suffix", tight)
    assert_alike(moments_of(network, image, samples=9), expected)
    assert sizes == [1, 8, 4, 2, 2, 2, 2]


def test_image_too_large_for_memory_goes_through_in_ever_smaller_tiles(monkeypatch):
    network, image = built("unet"), picture((600, 400))
    expected = moments_of(network, image, samples=2)
    prefix, sides = network.prefix, []

    def tight(images):
        sides.append(max(images.shape[-2:]))
        if max(images.shape[-2:]) > 512:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
        return prefix(images)

    monkeypatch.setattr(network, "prefix", tight)
    found = moments_of(network, image, samples=2)
    assert sides[0] == 600
    assert max(sides[1:]) == 512
    np.testing.assert_allclose(found.mean_p, expected.mean_p, atol=0.05)
    monkeypatch.setattr(network, "prefix", lambda images: 1 / 0)
    with pytest.raises(ZeroDivisionError):  # another error is not taken for a lack of memory
        moments_of(network, image, samples=2)


def test_too_little_memory_for_the_smallest_tile_is_told(monkeypatch):
    network = built("unet")

    def never(images):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(network, "prefix", never)
    with pytest.raises(ModelError, match="memory does not suffice for tiles of 256"):
        moments_of(network, picture(), samples=2)
    assert not out_of_memory(RuntimeError("shapes do not fit"))


def test_cancel_is_looked_at_between_passes(monkeypatch):
    monkeypatch.setattr(mc_passes, "memory_budget", lambda _: 1)
    calls = []

    def cancel_at_the_third():
        calls.append(1)
        if len(calls) == 3:
            raise StoppedError("stop")

    network = built("unet")
    with pytest.raises(StoppedError):
        outputs_of(network, picture(), cancel_at_the_third, samples=50)
    assert len(calls) == 3
    assert isinstance(network, SmallUNet)
    assert not any(layer._forward_hooks for layer in network.modules())
