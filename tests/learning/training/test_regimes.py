import json

import numpy as np
import pytest
import torch
from tiny_data import disk_picture
from torch import nn

from napari_active_seg.errors import ConfigError, ModelError, NothingToDoError, StoppedError
from napari_active_seg.learning import PRESETS, Preset, TorchSegmenterFactory, get_preset
from napari_active_seg.learning.module_modes import batch_norms, seeded
from napari_active_seg.learning.networks import FilterBankMLP, SmallUNet
from napari_active_seg.learning.training import build
from napari_active_seg.learning.training.batches import PixelBatches
from napari_active_seg.learning.training.objectives import Supervised
from napari_active_seg.learning.training.optimisation import (
    EMA,
    OptimiserConfig,
    StepInfo,
    build_optimiser,
    lr_factor,
)
from napari_active_seg.learning.training.padding import cut_window
from napari_active_seg.learning.training.resume import (
    ResumeState,
    TrainingCheckpoint,
    TrainingState,
)
from napari_active_seg.learning.training.trainer import fit
from napari_active_seg.learning.training.validation import Best, HeldOutCrops, HeldOutPixels
from napari_active_seg.models.segmenter import ResumeTarget, TrainExample, TrainingData, TrainStep
from napari_active_seg.models.training_options import TrainingOptions
from napari_active_seg.regions import UNLABELLED

CPU = torch.device("cpu")
CLASSES = ("background", "disk")


def examples(count=3, side=40, holdout=()):
    made = []
    for seed in range(count):
        image, mask = disk_picture(seed)
        target = np.full(mask.shape, UNLABELLED, np.uint8)
        target[20 : 20 + side, 30 : 30 + side] = mask[20 : 20 + side, 30 : 30 + side]
        made.append(TrainExample(image, target, holdout=seed in holdout))
    return made


def train(preset, plan, data=None, *, check=lambda: None, on_step=lambda _: None, kept=None):
    segmenter = TorchSegmenterFactory("cpu").build(preset, classes=CLASSES, seed=plan.seed)
    outcome = segmenter.train(
        data or TrainingData(examples()),
        plan=plan,
        on_step=on_step,
        check_cancelled=check,
        kept=kept,
    )
    return segmenter, outcome


def weights_of(segmenter):
    return {k: v.clone() for k, v in segmenter._network.state_dict().items()}


# --- schedules, optimisers, running means ---------------------------------------------------------


@pytest.mark.parametrize("name", TrainingOptions.list_fields()["schedule"].choices)
def test_rates_end_near_nothing_but_where_they_are_constant(name):
    rates = [lr_factor(name, share) for share in np.linspace(0, 0.999, 50)]
    assert all(0 < rate <= 1 for rate in rates)
    assert max(rates) > 0.99
    assert (rates[-1] < 0.01) == (name != "constant")
    fall = rates[rates.index(max(rates)) :]
    assert fall == sorted(fall, reverse=True)


def test_poly_is_the_papers():
    assert lr_factor("poly", 0.25) == 0.75**0.9
    with pytest.raises(ConfigError):
        lr_factor("stairs", 0.5)


def test_optimisers_are_torchs_with_decay_where_it_belongs():
    weight = nn.Parameter(torch.ones(1))
    sgd = build_optimiser([weight], OptimiserConfig(10, 0.1, "sgd", weight_decay=0.5))
    assert sgd.param_groups[0]["momentum"] == 0.9
    weight.grad = torch.zeros(1)
    sgd.step()
    assert float(weight.detach()) == pytest.approx(1 - 0.1 * 0.5)  # the papers' L2 term
    assert isinstance(build_optimiser([weight], OptimiserConfig(10, 0.1, "adam")), torch.optim.Adam)
    assert isinstance(build_optimiser([weight], OptimiserConfig(10, 0.1)), torch.optim.AdamW)
    with pytest.raises(ConfigError):
        build_optimiser([weight], OptimiserConfig(10, 0.1, "lion"))


def test_running_mean_is_what_a_slow_loop_gives():
    network = FilterBankMLP(2)
    averaged = EMA(network, 0.9)
    name, weight = "head.weight", network.head.weight
    expected = weight.detach().clone()
    for step in range(1, 30):
        with torch.no_grad():
            weight.add_(torch.randn_like(weight))
        averaged.update(network, step)
        decay = min(0.9, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * weight.detach()
    torch.testing.assert_close(averaged.network.state_dict()[name], expected)
    assert not any(p.requires_grad for p in averaged.network.parameters())


def test_averaged_weights_are_what_stays():
    plain, _ = train("fast", TrainingOptions(epochs=30, schedule="constant"))
    mean, _ = train("fast", TrainingOptions(epochs=30, schedule="constant", ema_decay=0.9))
    first, second = weights_of(plain), weights_of(mean)
    assert any(not torch.equal(first[k], second[k]) for k in first)


# --- early stopping -------------------------------------------------------------------------------


def spoilt(count=2):
    """Held-out labels that contradict the others: the more is learned, the worse."""
    return [TrainExample(e.image, np.where(e.target == 255, 255, 1 - e.target)) for e in examples()]


@pytest.mark.parametrize("preset", ["fast", "unet"])
def test_training_ends_when_held_out_labels_get_no_better_and_keeps_the_best(preset):
    data = TrainingData(examples(), held_out=spoilt())
    epochs = 60 if preset == "fast" else 40
    plan = TrainingOptions(epochs=epochs, patience=3)
    segmenter, outcome = train(preset, plan, data)
    looked = dict(outcome.held_out)
    best_step = min(looked, key=looked.get)
    assert len(outcome.losses) < epochs
    assert len(outcome.held_out) == list(looked).index(best_step) + 1 + 3
    held = (
        HeldOutPixels(segmenter._network, data.held_out, CPU)
        if preset == "fast"
        else HeldOutCrops(data.held_out, CPU)
    )
    assert held.loss(segmenter._network) == pytest.approx(outcome.best_held_out, rel=1e-5)


def test_spare_regions_are_held_out_only_where_there_is_no_validation():
    made = examples(holdout={1})
    for data, patience, learned, looked_at in (
        (TrainingData(made), 0, 3, 0),
        (TrainingData(made), 5, 2, 1),
        (TrainingData(made, held_out=made[:2]), 5, 3, 2),
        (TrainingData(made[1:2]), 5, 1, 0),  # nothing would be left to learn from
    ):
        from_these, held = build._split(data, hold_out=patience > 0)
        assert (len(from_these), len(held)) == (learned, looked_at)
    _, outcome = train("fast", TrainingOptions(epochs=4, holds_out=True), TrainingData(made))
    assert [step for step, _ in outcome.held_out] == [len(outcome.losses)]  # once, at the end


def test_held_out_loss_is_the_mean_over_labelled_pixels_without_dropout():
    made = examples(2)
    with seeded(0, CPU):
        network = SmallUNet(2)
    found = HeldOutCrops(made, CPU).loss(network)
    network.eval()
    total, count = 0.0, 0
    for e in made:
        side = max(e.target.shape)  # around the middle of what is labelled
        rows, columns = (20 + 60 - side) // 2, (30 + 70 - side) // 2
        square = cut_window(e.image, rows, columns, side).transpose(2, 0, 1).copy()
        with torch.no_grad():
            logits = network(torch.from_numpy(square).float()[None] / 255)
        target = cut_window(e.target, rows, columns, side, fill=255)
        log_p = torch.log_softmax(logits, 1)[0].numpy()
        for y, x in np.argwhere(target != 255):
            total -= log_p[target[y, x], y, x]
            count += 1
    assert found == pytest.approx(total / count, rel=1e-4)


def test_patience_counts_looks_in_a_row():
    network, best = FilterBankMLP(2), Best(2)
    for loss, over in ((3.0, False), (2.0, False), (2.5, False), (1.0, False), (1.0, False)):
        best.look(loss, network)
        assert best.is_over is over
    best.look(4.0, network)
    assert best.is_over and best.loss == 1.0
    endless = Best(0)
    for _ in range(9):
        endless.look(1.0, network)
    assert not endless.is_over


# --- going on -------------------------------------------------------------------------------------


class KilledError(Exception):
    """Stands for a process that ends."""


def stopping_at(step):
    seen = []

    def check():
        seen.append(1)
        if len(seen) > step:
            raise KilledError

    return check


KEEPING = "napari_active_seg.learning.training.resume"
PLANS = {
    "fast": TrainingOptions(epochs=12),
    "unet": TrainingOptions(epochs=6, schedule="cosine", ema_decay=0.9, patience=4),
    "learned loss": TrainingOptions(
        epochs=6, learned_loss=True, optimiser="sgd", learning_rate=1e-3
    ),
    "s4gan": TrainingOptions(epochs=5, semi_supervised="s4gan", augmentation="flips"),
    "consistency": TrainingOptions(
        epochs=5, semi_supervised="consistency", pseudo_label_threshold=0.5
    ),
}


@pytest.mark.parametrize("name", PLANS)
def test_training_that_was_killed_goes_on_bit_for_bit(tmp_path, monkeypatch, name):
    monkeypatch.setattr(f"{KEEPING}._SHARE_OF_TIME", 1e9)
    monkeypatch.setattr(f"{KEEPING}._LEAST_APART_S", 0.0)
    preset = "fast" if name == "fast" else "unet"
    if preset == "unet":
        monkeypatch.setitem(PRESETS, "unet", Preset("unet", "", 6, 2, 64, 2e-3))
    pool = [disk_picture(9)[0]]

    def window(rng, side):
        y, x = rng.integers(0, 20, 2)
        return pool[0][y : y + side, x : x + side]

    plan = PLANS[name]
    data = TrainingData(examples(), held_out=examples(1), draw_window=window)
    whole, expected = train(preset, plan, data)
    kept = ResumeTarget(tmp_path / "t.safetensors", "same")
    with pytest.raises(KilledError):
        train(preset, plan, data, check=stopping_at(3), kept=kept)
    torch.manual_seed(99)  # what goes on elsewhere plays no part
    again, outcome = train(preset, plan, data, kept=kept)
    assert 0 < outcome.resumed_at <= 3
    assert outcome.losses == expected.losses
    assert outcome.held_out == expected.held_out
    first, second = weights_of(whole), weights_of(again)
    assert all(torch.equal(first[k], second[k]) for k in first)
    _, other = train(preset, plan, data, kept=ResumeTarget(kept.path, "another"))
    assert other.resumed_at == 0


def test_damaged_or_foreign_file_of_a_training_starts_over(tmp_path):
    kept = ResumeTarget(tmp_path / "t.safetensors", "same")
    plan = TrainingOptions(epochs=3)
    for content in (b"", b"rubbish" * 50, json.dumps({"format": "x"}).encode()):
        kept.path.write_bytes(content)
        _, outcome = train("fast", plan, kept=kept)
        assert outcome.resumed_at == 0 and len(outcome.losses) == 6 // 2


def test_writing_down_takes_little_time_and_wear_and_a_full_disk_stops_nothing(
    tmp_path, monkeypatch
):
    network = FilterBankMLP(2)
    state = TrainingState({"network": network}, [], np.random.default_rng(0), CPU)
    keeper = TrainingCheckpoint(tmp_path / "a" / "t.safetensors", "s")
    facts = ResumeState((1.0,), (), float("inf"), 0)
    keeper.keep(state, facts, {})
    first = (tmp_path / "a" / "t.safetensors").stat().st_mtime_ns
    for share, apart in ((1e-9, 0.0), (1e9, 1e9)):  # too much of the time; too soon
        monkeypatch.setattr(f"{KEEPING}._SHARE_OF_TIME", share)
        monkeypatch.setattr(f"{KEEPING}._LEAST_APART_S", apart)
        keeper.keep(state, facts, {})
        assert (tmp_path / "a" / "t.safetensors").stat().st_mtime_ns == first
    monkeypatch.setattr(f"{KEEPING}._LEAST_APART_S", 0.0)
    keeper.keep(state, facts, {})
    assert (tmp_path / "a" / "t.safetensors").stat().st_mtime_ns > first
    (tmp_path / "file").write_text("in the way")
    TrainingCheckpoint(tmp_path / "file" / "t.safetensors", "s").keep(state, facts, {})
    assert not list(tmp_path.glob("file/*"))


# --- memory, precision, norms, classes ------------------------------------------------------------


class Hungry(SmallUNet):
    """Runs out of memory above so many pixels at once."""

    most = 2 * 64 * 64

    def prefix(self, images):
        if self.training and images.shape[0] * images.shape[2] * images.shape[3] > self.most:
            raise torch.OutOfMemoryError("CUDA out of memory (as a GPU would say it)")
        return super().prefix(images)


def parts_of(network, preset, plan=None):
    return build.TrainingParts(
        network,
        build.AuxiliaryHeads(),
        preset,
        2,
        CPU,
        TrainingData(examples()),
        plan or TrainingOptions(epochs=1),
    )


def test_batch_halves_then_crop_when_memory_runs_out():
    with seeded(0, CPU):
        network = Hungry(2)
    sizes = []
    plain = Hungry.prefix

    def watch(self, images):
        sizes.append((images.shape[0], images.shape[2]))
        return plain(self, images)

    Hungry.prefix, kept = watch, Hungry.prefix
    try:
        outcome = build.train_network(
            parts_of(network, get_preset("unet")),
            on_step=lambda _: None,
            check_cancelled=lambda: None,
        )
    finally:
        Hungry.prefix = kept
    assert list(dict.fromkeys(sizes)) == [(8, 128), (4, 128), (2, 128), (2, 64)]
    assert outcome.notes == ("memory ran out: trained in batches of 2 crops of 64 x 64",)


def test_too_little_memory_for_anything_is_a_clear_word():
    network = Hungry(2)
    network.most = 0
    with pytest.raises(ModelError, match=r"not enough memory to train 'unet'.*or train 'fast'"):
        build.train_network(
            parts_of(network, get_preset("unet")),
            on_step=lambda _: None,
            check_cancelled=lambda: None,
        )


def test_network_without_memory_would_take_for_ever(monkeypatch):
    network = Hungry(2)
    network.most = 0
    assert build.estimate_seconds(parts_of(network, get_preset("unet"))) == np.inf
    monkeypatch.setattr(network, "prefix", lambda images: images.no_such_thing)
    with pytest.raises(AttributeError):
        build.estimate_seconds(parts_of(network, get_preset("unet")))


def test_other_errors_are_not_taken_for_memory():
    network = SmallUNet(2)
    network.prefix = lambda images: (_ for _ in ()).throw(RuntimeError("size mismatch"))
    with pytest.raises(RuntimeError, match="size mismatch"):
        build.train_network(
            parts_of(network, get_preset("unet")),
            on_step=lambda _: None,
            check_cancelled=lambda: None,
        )


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_half_precision_learns_too(precision):
    _, outcome = train("fast", TrainingOptions(epochs=40, training_precision=precision))
    assert outcome.losses[-1] < 0.6 * outcome.losses[0]


def test_frozen_norms_keep_what_they_know():
    network = SmallUNet(2)
    before = [(n.running_mean.clone(), n.num_batches_tracked.clone()) for n in batch_norms(network)]
    small = Preset("unet", "", 2, 2, 64, 2e-3)
    for norms, moved in (("frozen", False), ("trained", True)):
        build.train_network(
            parts_of(network, small, TrainingOptions(epochs=1, batch_norm=norms)),
            on_step=lambda _: None,
            check_cancelled=lambda: None,
        )
        now = [(n.running_mean, n.num_batches_tracked) for n in batch_norms(network)]
        same = all(
            torch.equal(a, b)
            for x, y in zip(before, now, strict=True)
            for a, b in zip(x, y, strict=True)
        )
        assert same is not moved


def test_rare_class_gets_heavier_pixels_or_more_of_them():
    image, mask = disk_picture(0)
    target = np.zeros_like(mask)
    target[:4, :4] = 1
    network = FilterBankMLP(2)
    rng = np.random.default_rng(0)
    shares = [
        float((batches.draw(rng).target == 1).float().mean())
        for batches in (
            PixelBatches(network, [TrainExample(image, target)], batch=4096, device=CPU),
            PixelBatches(
                network, [TrainExample(image, target)], batch=4096, device=CPU, even_classes=True
            ),
        )
    ]
    assert shares[0] < 0.02 and abs(shares[1] - 0.5) < 0.05
    made = parts_of(network, get_preset("fast"), TrainingOptions(class_balance="weights"))
    made.data.examples[:] = [TrainExample(image, target)]
    batches = PixelBatches(network, made.data.examples, batch=512, device=CPU)
    (objective,) = build._objectives(made, batches, None)
    weights = objective._class_weights
    counts = np.bincount(target[::1, ::1].ravel())
    median = np.sort(counts)[0]  # torch's median of two is the lower one
    np.testing.assert_allclose(weights, (median / counts).clip(0.1, 10), rtol=1e-5)


def test_a_loss_that_is_no_number_ends_the_training_with_a_remedy():
    with pytest.raises(ModelError, match="lower learning rate"):
        train("fast", TrainingOptions(epochs=50, learning_rate=1e6, optimiser="sgd"))


# --- what is told ---------------------------------------------------------------------------------


def test_steps_tell_epoch_loss_and_seconds_left():
    told = []
    train(
        "fast",
        TrainingOptions(epochs=4, patience=2),
        TrainingData(examples(), examples(1)),
        on_step=told.append,
    )
    assert [s.epoch for s in told] == [-(-s.step // (len(told) // 4)) for s in told]
    assert told[-1].n_epochs == 4
    assert told[-1].seconds_left == 0 < told[0].seconds_left
    words = TrainStep(3, 9, 0.5, 1, 3, 75.0, {"sure": 0.25}, 0.75).summary
    assert words == "epoch 1 of 3, loss 0.500, sure 0.250, held out 0.750, about 75 s left"
    assert StepInfo(7, 10, 3).epoch == 3 and StepInfo(7, 10, 3).n_epochs == 4
    assert [StepInfo(s, 10, 3).ends_epoch for s in (3, 4, 9, 10)] == [True, False, True, True]


def test_a_few_steps_tell_how_long_all_would_take():
    factory = TorchSegmenterFactory("cpu")
    data = TrainingData(examples())
    times = {
        n: factory.build("fast", classes=CLASSES, seed=0).estimate_training_seconds(
            data, plan=TrainingOptions(epochs=n)
        )
        for n in (10, 100_000)
    }
    assert times[100_000] > 20 * times[10] > 0
    assert factory.candidates()[-1] == "fast"


def test_stop_is_heard_before_every_step():
    def check():
        raise StoppedError("stop")

    with pytest.raises(StoppedError):
        train("fast", TrainingOptions(epochs=2), check=check)
    network = FilterBankMLP(2)
    batches = PixelBatches(network, examples(), batch=256, device=CPU)
    with pytest.raises(ModelError, match="something to make smaller"):
        fit(
            network,
            [],
            OptimiserConfig(2, 0.1),
            per_epoch=1,
            seed=0,
            device=CPU,
            on_step=print,
            check_cancelled=lambda: None,
        )
    assert Supervised(network, batches).parameters() == []


def test_unlabelled_images_are_asked_for_by_name():
    with pytest.raises(ConfigError, match="needs images without labels"):
        train("fast", TrainingOptions(epochs=1, semi_supervised="consistency"))
    data = TrainingData(examples(side=10), draw_window=lambda rng, side: np.zeros((side, side, 3)))
    with pytest.raises(NothingToDoError, match="no region is painted whole"):
        train("unet", TrainingOptions(epochs=1, semi_supervised="s4gan"), data)
