import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from napari_active_seg.errors import BadInputError, ConfigError
from napari_active_seg.learning.module_modes import evaluating, sampling_dropout, seeded, training
from napari_active_seg.learning.networks import Heads
from napari_active_seg.learning.training.losses import (
    LOSSES,
    get_loss,
    heads_loss,
    masked_cross_entropy,
    ranking_loss,
)
from napari_active_seg.regions import UNLABELLED


def example(seed, c=3):
    rng = np.random.default_rng(seed)
    logits = torch.tensor(rng.normal(0, 3, (2, c, 5, 6)), dtype=torch.float32)
    target = torch.tensor(rng.integers(0, c, (2, 5, 6)).astype(np.uint8))
    hidden = torch.tensor(rng.random((2, 5, 6)) < 0.5)
    hidden[0, 0, 0] = False
    target[hidden] = UNLABELLED
    return logits, target, hidden


def heads_of(logits):
    """Logits of objects, of outlines and of single levels, all from one tensor (N, 8, H, W)."""
    return Heads(logits[:, :3], logits[:, 3:5], (logits[:, :3] * 2,), (logits[:, 3:5] * 3,))


WEIGHTS = torch.tensor([1.0, 0.2, 3.0])
TERMS = {
    **{name: (lambda x, y, loss=loss: loss(x[:, :3], y, None)) for name, loss in LOSSES.items()},
    **{
        f"{name} weighted": (lambda x, y, loss=loss: loss(x[:, :3], y, WEIGHTS))
        for name, loss in LOSSES.items()
    },
    "heads": lambda x, y: heads_loss(
        heads_of(x), y, torch.where(y == UNLABELLED, y, y % 2), auxiliary_weight=0.3
    ),
}


def value_and_gradient(term, logits, target):
    logits = logits.clone().requires_grad_()
    loss = TERMS[term](logits, target)
    (gradient,) = torch.autograd.grad(loss, logits)
    return loss.detach(), gradient


@pytest.mark.parametrize("term", TERMS)
@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_unlabelled_pixels_change_neither_loss_nor_gradient(term, seed):
    _, target, hidden = example(seed)
    logits = torch.tensor(
        np.random.default_rng(seed).normal(0, 3, (2, 8, 5, 6)), dtype=torch.float32
    )
    loss, gradient = value_and_gradient(term, logits, target)
    assert torch.isfinite(loss)
    assert gradient.abs().sum() > 0
    assert (gradient.permute(0, 2, 3, 1)[hidden] == 0).all()
    moved = torch.where(hidden[:, None], torch.randn_like(logits) * 50, logits)
    moved_loss, moved_gradient = value_and_gradient(term, moved, target)
    assert torch.equal(loss, moved_loss)
    assert torch.equal(gradient, moved_gradient)


def labelled_pixels(logits, target, hidden):
    counts = (~hidden).sum(dim=(1, 2))
    for n, y, x in np.argwhere(~hidden.numpy()):
        row = logits[n, :, y, x].double().numpy()
        p = np.exp(row) / np.exp(row).sum()
        yield p, int(target[n, y, x]), 1 / int(counts[n])


@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_losses_equal_slow_loops_over_labelled_pixels(weights):
    logits, target, hidden = example(1)
    w = np.ones(3) if weights is None else weights.double().numpy()
    pixels = list(labelled_pixels(logits, target, hidden))
    divisor = sum(s * w[k] for _, k, s in pixels)
    entropy = sum(-s * w[k] * np.log(p[k]) for p, k, s in pixels) / divisor
    focal = sum(-s * w[k] * (1 - p[k]) ** 2 * np.log(p[k]) for p, k, s in pixels) / divisor
    dices = []
    for c in range(3):
        both = 2 * sum(p[c] for p, k, _ in pixels if k == c) + 1
        here = sum(p[c] for p, *_ in pixels) + sum(k == c for _, k, _ in pixels)
        dices.append(both / (here + 1))
    dice = sum(w[c] * (1 - dices[c]) for c in range(3)) / w.sum()
    for name, expected in (("cross-entropy", entropy), ("focal", focal), ("dice", dice)):
        found = get_loss(name)(logits, target, weights).item()
        assert found == pytest.approx(expected, rel=1e-5)
    both = get_loss("cross-entropy+dice")(logits, target, weights).item()
    assert both == pytest.approx(entropy + dice, rel=1e-5)


def test_a_crop_with_one_label_counts_as_much_as_one_that_is_full():
    logits, target, _ = example(2)
    target[0] = 1
    target[1] = UNLABELLED
    target[1, 2, 3] = 2
    for name in ("cross-entropy", "focal"):
        loss = get_loss(name)
        alone = [loss(logits[n : n + 1], target[n : n + 1], None).item() for n in range(2)]
        assert loss(logits, target, None).item() == pytest.approx(np.mean(alone), rel=1e-5)
        none = torch.full_like(target[:1], UNLABELLED)
        more = loss(torch.cat([logits, logits[:1]]), torch.cat([target, none]), None)
        assert more.item() == pytest.approx(np.mean(alone), rel=1e-5)


def test_dice_leaves_classes_out_that_nobody_labelled():
    logits = torch.zeros(1, 3, 2, 2)
    logits[:, 0] = 50
    target = torch.zeros(1, 2, 2, dtype=torch.uint8)
    assert get_loss("dice")(logits, target, None).item() == pytest.approx(0, abs=1e-6)


def test_heads_loss_is_the_fused_one_and_the_discounted_levels():
    logits, target, _ = example(4)
    outlines = torch.where(target == UNLABELLED, target, target % 2)
    heads = Heads(logits, logits[:, :2], (logits * 2, -logits), (logits[:, 1:],))

    def entropy(x, y):
        return masked_cross_entropy(x, y)

    expected = (
        entropy(logits, target)
        + 0.1 * (entropy(logits * 2, target) + entropy(-logits, target))
        + entropy(logits[:, :2], outlines)
        + 0.1 * entropy(logits[:, 1:], outlines)
    )
    found = heads_loss(heads, target, outlines, auxiliary_weight=0.1)
    torch.testing.assert_close(found, expected)
    nowhere = torch.full_like(outlines, UNLABELLED)
    without = heads_loss(heads, target, nowhere, auxiliary_weight=0.0)
    torch.testing.assert_close(without, entropy(logits, target))


def test_ranking_loss_pairs_mirrored_places_and_counts_order_alone():
    expected = torch.tensor([0.5, 2.0, 1.0, 0.1], requires_grad=True)
    actual = torch.tensor([3.0, 1.0, 9.0, 1.0])
    # pairs (0, 3): in order, 1 - 0.4; (1, 2): in reverse, 1 + 1
    loss = ranking_loss(expected, actual)
    assert loss.item() == pytest.approx((0.6 + 2.0) / 2)
    assert ranking_loss(expected * 10, actual).item() == pytest.approx((0 + 11.0) / 2)
    with pytest.raises(BadInputError, match="even number"):
        ranking_loss(expected[:3], actual[:3])


def test_batch_without_labels_is_refused():
    for loss in LOSSES.values():
        with pytest.raises(BadInputError, match="no labelled pixel"):
            loss(torch.zeros(1, 2, 3, 3), torch.full((1, 3, 3), UNLABELLED), None)
    with pytest.raises(ConfigError, match="did you mean 'dice'"):
        get_loss("dise")


def network():
    return nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.Dropout2d(0.5))


def test_sampling_switches_dropout_on_and_leaves_batch_norm_alone():
    net = network().train()
    before = {k: v.clone() for k, v in net.state_dict().items()}
    with sampling_dropout(net):
        assert net[2].training
        assert not net[1].training
        outputs = [net(torch.ones(1, 3, 2, 2)) for _ in range(8)]
    assert any(not torch.equal(outputs[0], o) for o in outputs)
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())
    assert net.training
    assert net[1].training


@pytest.mark.parametrize("mode", [evaluating, sampling_dropout, training])
def test_modes_are_restored_even_after_an_error(mode):
    net = network().train()
    net[1].eval()
    with pytest.raises(RuntimeError), mode(net):
        raise RuntimeError
    assert [layer.training for layer in net.modules()] == [True, True, False, True]


def test_seeded_draws_repeat_and_leave_the_global_state_alone():
    torch.manual_seed(5)
    with seeded(1, torch.device("cpu")):
        first = torch.rand(3)
    after = torch.rand(3)
    torch.manual_seed(5)
    assert torch.equal(after, torch.rand(3))
    with seeded(1, torch.device("cpu")):
        assert torch.equal(first, torch.rand(3))
