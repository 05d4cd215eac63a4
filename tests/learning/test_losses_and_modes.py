import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from napari_active_seg.errors import BadInputError
from napari_active_seg.learning.losses import masked_cross_entropy
from napari_active_seg.learning.modes import evaluating, sampling_dropout, seeded, training
from napari_active_seg.regions import UNLABELLED


def example(seed, c=3):
    rng = np.random.default_rng(seed)
    logits = torch.tensor(rng.normal(0, 3, (2, c, 5, 6)), dtype=torch.float32)
    target = torch.tensor(rng.integers(0, c, (2, 5, 6)).astype(np.uint8))
    hidden = torch.tensor(rng.random((2, 5, 6)) < 0.5)
    hidden[0, 0, 0] = False
    target[hidden] = UNLABELLED
    return logits, target, hidden


def value_and_gradient(logits, target):
    logits = logits.clone().requires_grad_()
    loss = masked_cross_entropy(logits, target)
    (gradient,) = torch.autograd.grad(loss, logits)
    return loss.detach(), gradient


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 5))
def test_unlabelled_pixels_change_neither_loss_nor_gradient(seed, c):
    logits, target, hidden = example(seed, c)
    loss, gradient = value_and_gradient(logits, target)
    assert (gradient.permute(0, 2, 3, 1)[hidden] == 0).all()
    moved = torch.where(hidden[:, None], torch.randn_like(logits) * 50, logits)
    moved_loss, moved_gradient = value_and_gradient(moved, target)
    assert torch.equal(loss, moved_loss)
    assert torch.equal(gradient, moved_gradient)


def test_loss_is_the_mean_over_labelled_pixels():
    logits, target, hidden = example(1)
    total, count = 0.0, 0
    for n, y, x in np.argwhere(~hidden.numpy()):
        row = logits[n, :, y, x].double().numpy()
        total -= row[int(target[n, y, x])] - np.log(np.exp(row).sum())
        count += 1
    assert masked_cross_entropy(logits, target).item() == pytest.approx(total / count, rel=1e-5)


def test_batch_without_labels_is_refused():
    with pytest.raises(BadInputError, match="no labelled pixel"):
        masked_cross_entropy(torch.zeros(1, 2, 3, 3), torch.full((1, 3, 3), UNLABELLED))


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
