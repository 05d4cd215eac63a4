import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import log_softmax, softmax
from tiny_data import disk_picture
from torch import nn
from torch.nn import functional as F

from napari_active_seg.errors import NothingToDoError
from napari_active_seg.learning import PRESETS, Preset, TorchSegmenterFactory
from napari_active_seg.learning.module_modes import seeded
from napari_active_seg.learning.networks import SmallUNet
from napari_active_seg.learning.networks.auxiliary_heads import Discriminator
from napari_active_seg.learning.training.augmentation import get_augmentation
from napari_active_seg.learning.training.classification import LabelledImages, UnlabelledImages
from napari_active_seg.learning.training.losses import (
    balancing_weights,
    confident_cross_entropy,
    sharpened_divergence,
)
from napari_active_seg.learning.training.optimisation import OptimiserConfig, StepInfo
from napari_active_seg.learning.training.padding import cut_window
from napari_active_seg.learning.training.semi_supervised import (
    Adversarial,
    Consistency,
    PaintedCrops,
    UnlabelledCrops,
)
from napari_active_seg.learning.training.trainer import fit
from napari_active_seg.metrics import ConfusionMatrix
from napari_active_seg.models.inference_options import InferenceOptions
from napari_active_seg.models.segmenter import TrainExample, TrainingData
from napari_active_seg.models.training_options import TrainingOptions
from napari_active_seg.regions import UNLABELLED

CPU = torch.device("cpu")
LATE = StepInfo(50, 100, 10)


def pool_window(rng, side):
    image = disk_picture(int(rng.integers(10, 16)))[0]
    y, x = (int(rng.integers(max(1, length - side + 1))) for length in image.shape[:2])
    return cut_window(image, y, x, side)


def crops(count=4, side=48):
    made = get_augmentation("flips")
    return UnlabelledCrops(pool_window, count=count, side=side, augmentation=made)


def unet():
    with seeded(0, CPU):
        return SmallUNet(2)


def gradients(network, loss):
    network.zero_grad()
    loss.backward()
    return sum(float(p.grad.abs().sum()) for p in network.parameters() if p.grad is not None)


# --- losses ---------------------------------------------------------------------------------------


@given(st.integers(0, 10_000), st.floats(0.4, 0.95))
def test_confident_loss_equals_a_slow_loop_and_unsure_places_teach_nothing(seed, threshold):
    rng = np.random.default_rng(seed)
    logits, probs = rng.normal(size=(2, 3, 4, 5)), softmax(2 * rng.normal(size=(2, 3, 4, 5)), 1)
    given_logits = torch.from_numpy(logits).float().requires_grad_()
    found = confident_cross_entropy(given_logits, torch.from_numpy(probs), threshold=threshold)
    log_p, total = log_softmax(logits, axis=1), 0.0
    for n, y, x in np.ndindex(2, 4, 5):
        if probs[n, :, y, x].max() >= threshold:
            total -= log_p[n, probs[n, :, y, x].argmax(), y, x]
    assert float(found.detach()) == pytest.approx(total / 40, rel=1e-4, abs=1e-7)
    (moved,) = torch.autograd.grad(found, given_logits)
    unsure = torch.from_numpy(probs.max(axis=1) < threshold)
    assert (moved.movedim(1, -1)[unsure] == 0).all()


@given(st.integers(0, 10_000))
def test_divergence_equals_a_slow_loop_and_teaches_the_changed_view_alone(seed):
    rng = np.random.default_rng(seed)
    changed, plain = rng.normal(size=(6, 4)), 2 * rng.normal(size=(6, 4))
    total = 0.0
    for q, p in zip(changed, plain, strict=True):
        if softmax(p).max() >= 0.6:
            aim = softmax(p / 0.5)
            total += float((aim * (np.log(aim) - log_softmax(q))).sum())
    views = [torch.from_numpy(v).float().requires_grad_() for v in (changed, plain)]
    found = sharpened_divergence(*views)
    assert float(found.detach()) == pytest.approx(total / 6, rel=1e-4, abs=1e-6)
    if total:
        found.backward()
        assert views[0].grad.abs().sum() > 0 and views[1].grad is None


def test_balancing_weights_are_the_median_over_the_count():
    weights = balancing_weights(torch.tensor([100.0, 10.0, 0.0, 1000.0, 100.0]))
    np.testing.assert_allclose(weights, [1, 10, 1, 0.1, 1])


# --- weak to strong -------------------------------------------------------------------------------


def test_consistency_waits_until_something_is_learned_and_moves_the_network_then():
    network = unet()
    term = Consistency(network, crops(), teacher=network, threshold=0.4, device=CPU)
    rng = np.random.default_rng(0)
    assert float(term.terms(rng, StepInfo(5, 100, 10)).total) == 0
    found = term.terms(rng, LATE)
    assert found.parts["sure"] == 1.0  # of two classes one has half at least
    assert gradients(network, found.total) > 0
    certain = Consistency(network, crops(), teacher=network, threshold=0.9999, device=CPU)
    assert float(certain.terms(rng, LATE).total.detach()) == 0


def test_teacher_is_asked_without_dropout_and_keeps_its_statistics():
    teacher, network = unet(), unet()
    network.train()
    before = {k: v.clone() for k, v in teacher.state_dict().items()}
    term = Consistency(network, crops(), teacher=teacher, threshold=0.4, device=CPU)
    term.terms(np.random.default_rng(0), LATE)
    assert all(torch.equal(before[k], v) for k, v in teacher.state_dict().items())
    assert teacher.training


@pytest.mark.parametrize("preset", ["fast", "unet"])
@pytest.mark.parametrize("use", ["consistency", "s4gan"])
def test_networks_learn_with_unlabelled_images_too(preset, use, monkeypatch):
    monkeypatch.setitem(PRESETS, "unet", Preset("unet", "", 120, 4, 64, 2e-3))
    made = []
    for seed in range(3):
        image, mask = disk_picture(seed)
        target = np.full(mask.shape, UNLABELLED, np.uint8)
        target[20:60, 30:70] = mask[20:60, 30:70]
        made.append(TrainExample(image, target))
    segmenter = TorchSegmenterFactory("cpu").build(preset, classes=("rest", "disk"), seed=0)
    told = []
    segmenter.train(
        TrainingData(made, draw_window=pool_window),
        plan=TrainingOptions(semi_supervised=use, augmentation="flips"),
        on_step=told.append,
        check_cancelled=lambda: None,
    )
    assert told[-1].loss < 0.7 * told[0].loss
    assert set(told[-1].parts) == (
        {"consistency", "sure"} if use == "consistency" else {"matching", "passing"}
    )
    image, mask = disk_picture(99)
    extras = ("discriminator",) if use == "s4gan" else ()
    plan = InferenceOptions(samples=4, extras=extras)
    moments = segmenter.predict(image, plan=plan, check_cancelled=lambda: None).moments
    found = ConfusionMatrix.empty(2).add(moments.mean_p.argmax(0).astype(np.uint8), mask)
    assert found.dice[1] > 0.8
    if use == "s4gan":
        real = moments.extras["discriminator"]
        assert real.shape == mask.shape and 0 <= real.min() <= real.max() <= 1


# --- adversarial ----------------------------------------------------------------------------------


def test_painted_crops_hold_no_unlabelled_pixel():
    image, mask = disk_picture(0)
    target = np.full(mask.shape, UNLABELLED, np.uint8)
    target[5:45, 7:60] = mask[5:45, 7:60]
    target[20, 30] = UNLABELLED
    painted = PaintedCrops([TrainExample(image, target)], most=64, stride=8)
    assert painted.side == 24  # the largest square beside the hole has 29 pixels a side
    images, classes = painted.draw(50, np.random.default_rng(0))
    assert images.shape == (50, 3, 24, 24) and classes.shape == (50, 24, 24)
    assert (classes != UNLABELLED).all() and images.max() <= 1
    with pytest.raises(NothingToDoError, match="no region is painted whole"):
        PaintedCrops(
            [TrainExample(image, target[:, :, None].repeat(1, 2)[..., 0])], most=12, stride=8
        )


def test_discriminator_learns_to_tell_and_only_in_its_own_turn():
    image, mask = disk_picture(0)
    network = unet()
    with seeded(1, CPU):
        judge = Discriminator(2)
    painted = PaintedCrops([TrainExample(image, mask)], most=48, stride=8)
    term = Adversarial(
        network,
        crops(side=painted.side),
        painted,
        discriminator=judge,
        n_classes=2,
        threshold=0.6,
        device=CPU,
    )
    rng = np.random.default_rng(0)
    before = {k: v.clone() for k, v in judge.state_dict().items()}
    found = term.terms(rng, StepInfo(1, 100, 10))
    assert gradients(network, found.total) > 0
    assert all(torch.equal(before[k], v) for k, v in judge.state_dict().items())
    assert all(p.grad is None and p.requires_grad for p in judge.parameters())
    with seeded(0, CPU):
        for _ in range(30):
            term.terms(rng, LATE)
            term.after_step()
    judge.eval()
    images, classes = painted.draw(8, rng)
    real = F.one_hot(classes.long(), 2).movedim(-1, 1).float()
    fakes = torch.stack([s.float() / 255 for s in term._crops.draw(rng)])
    with torch.no_grad():
        predicted = torch.softmax(network(fakes), dim=1)
        assert judge(real, images)[0].mean() > judge(predicted, fakes)[0].mean() + 1


def test_predictions_that_pass_teach_themselves_but_not_in_the_first_step():
    image, mask = disk_picture(0)
    network = unet()
    judge = Discriminator(2)
    nn.init.zeros_(judge.head.weight)
    nn.init.constant_(judge.head.bias, 5.0)  # everything looks painted
    painted = PaintedCrops([TrainExample(image, mask)], most=48, stride=8)
    term = Adversarial(
        network,
        crops(side=painted.side),
        painted,
        discriminator=judge,
        n_classes=2,
        threshold=0.6,
        device=CPU,
    )
    first = term.terms(np.random.default_rng(0), StepInfo(1, 100, 10))
    later = term.terms(np.random.default_rng(0), StepInfo(2, 100, 10))
    assert first.parts["passing"] == later.parts["passing"] == 1
    assert float(later.total.detach()) > float(first.total.detach()) + 0.1


# --- whole images ---------------------------------------------------------------------------------


def rings(count, seed):
    """Rows of four numbers in two classes: two bands that labels at one end tell apart."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, count)
    along = rng.uniform(0, 1, count)
    rows = np.stack([along * 4, labels + 0.1 * rng.normal(size=count)], axis=1)
    return torch.from_numpy(rows).float(), torch.from_numpy(labels), along


def test_images_without_labels_help_to_name_images():
    images, labels, along = rings(600, 0)
    near = torch.from_numpy(along < 0.15)
    labelled = torch.nonzero(near)[:6, 0]
    test_images, test_labels, _ = rings(1000, 1)

    def move(rows, rng):
        along = torch.from_numpy(rng.uniform(0, 4, len(rows))).float()
        return torch.stack([along, rows[:, 1]], dim=1)

    def accuracy(with_unlabelled, seed):
        with seeded(seed, CPU):
            network = nn.Sequential(nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, 2))
        supervised = LabelledImages(network, images[labelled], labels[labelled], batch=16)
        parts = [supervised]
        if with_unlabelled:
            parts.append(UnlabelledImages(network, images, batch=128, change=move))
        fit(
            network,
            parts,
            OptimiserConfig(400, 1e-2),
            per_epoch=supervised.per_epoch,
            seed=seed,
            device=CPU,
            on_step=lambda _: None,
            check_cancelled=lambda: None,
        )
        with torch.no_grad():
            return float((network(test_images).argmax(1) == test_labels).float().mean())

    seeds = range(3)
    alone = np.mean([accuracy(False, seed) for seed in seeds])
    together = np.mean([accuracy(True, seed) for seed in seeds])
    assert together > alone + 0.02 or (together > 0.98 and together >= alone)


def test_nothing_to_learn_from_is_refused():
    empty = torch.zeros(0, 2)
    with pytest.raises(NothingToDoError, match="no image is labelled"):
        LabelledImages(nn.Linear(2, 2), empty, torch.zeros(0, dtype=torch.long), batch=2)
    with pytest.raises(NothingToDoError, match="no image is left"):
        UnlabelledImages(nn.Linear(2, 2), empty, batch=2, change=lambda rows, _: rows)
