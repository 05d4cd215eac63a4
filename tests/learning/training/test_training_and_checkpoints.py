import pickle
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_data import disk_picture
from tiny_networks import moments_of, sampler_of

from napari_active_seg.errors import ConfigError, ModelError, NothingToDoError, StoppedError
from napari_active_seg.learning import PRESETS, TorchSegmenterFactory, get_preset
from napari_active_seg.learning.devices import device_facts, resolve_device
from napari_active_seg.learning.module_modes import seeded
from napari_active_seg.learning.networks import DCAN, FilterBankMLP, SmallUNet
from napari_active_seg.learning.training.augmentation import get_augmentation
from napari_active_seg.learning.training.batches import PixelBatches
from napari_active_seg.learning.training.crops import CropBatches
from napari_active_seg.learning.training.objectives import Supervised
from napari_active_seg.learning.training.optimisation import OptimiserConfig
from napari_active_seg.learning.training.trainer import fit
from napari_active_seg.metrics import ConfusionMatrix
from napari_active_seg.models.inference_options import InferenceOptions
from napari_active_seg.models.preset_names import PRESET_NAMES
from napari_active_seg.models.segmenter import TrainExample, TrainingData
from napari_active_seg.models.training_options import TrainingOptions
from napari_active_seg.regions import UNLABELLED, make_contour_target

CPU = torch.device("cpu")
GENERAL, FLIPS = get_augmentation("general"), get_augmentation("flips")
CLASSES = ("background", "disk")


def examples(count=3, side=40):
    """Pictures of which only a square in the middle is labelled."""
    made = []
    for seed in range(count):
        image, mask = disk_picture(seed)
        target = np.full(mask.shape, UNLABELLED, np.uint8)
        target[20 : 20 + side, 30 : 30 + side] = mask[20 : 20 + side, 30 : 30 + side]
        made.append(TrainExample(image, target))
    return made


def ignore(step):
    pass


def trained(preset="fast", seed=0, epochs=None, on_step=ignore, check=lambda: None):
    segmenter = TorchSegmenterFactory("cpu").build(preset, classes=CLASSES, seed=seed)
    outcome = segmenter.train(
        TrainingData(examples()),
        plan=TrainingOptions(seed=seed, epochs=epochs),
        on_step=on_step,
        check_cancelled=check,
    )
    return segmenter, outcome


def fit_for(network, batches, n_steps, learning_rate=2e-3):
    return fit(
        network,
        [Supervised(network, batches)],
        OptimiserConfig(n_steps, learning_rate),
        per_epoch=batches.per_epoch,
        seed=0,
        device=CPU,
        on_step=ignore,
        check_cancelled=lambda: None,
    )


def predicted(segmenter, image, samples=4):
    plan = InferenceOptions(samples=samples)
    return segmenter.predict(image, plan=plan, check_cancelled=lambda: None).moments.mean_p


def dice_on_a_new_picture(classes_of):
    image, mask = disk_picture(99)
    found = classes_of(image).argmax(axis=0).astype(np.uint8)
    return ConfusionMatrix.empty(2).add(found, mask).dice[1]


def test_fast_preset_learns_from_partial_labels():
    segmenter, outcome = trained("fast", epochs=60)
    assert outcome.losses[-1] < outcome.losses[0] / 2
    assert dice_on_a_new_picture(lambda image: predicted(segmenter, image)) > 0.95


def test_unet_learns_from_partial_labels():
    network = TorchSegmenterFactory("cpu").build("unet", classes=CLASSES, seed=0)._network
    batches = CropBatches(network, examples(), batch=4, crop=64, device=CPU, augmentation=GENERAL)
    outcome = fit_for(network, batches, n_steps=120)
    assert outcome.losses[-1] < outcome.losses[0] / 2
    assert dice_on_a_new_picture(lambda x: moments_of(network, x, samples=4).mean_p) > 0.9


def test_dcan_learns_objects_and_their_outlines():
    with seeded(0, CPU):
        network = DCAN(2, width=1 / 8)
    batches = CropBatches(network, examples(), batch=4, crop=64, device=CPU, augmentation=FLIPS)
    outcome = fit_for(network, batches, n_steps=240, learning_rate=4e-3)
    assert np.mean(outcome.losses[-10:]) < 0.6 * np.mean(outcome.losses[:10])
    image, mask = disk_picture(99)
    plan = InferenceOptions(samples=8, extras=("contour",))
    moments = sampler_of(network).outputs(image, plan, lambda: None).moments
    assert (
        ConfusionMatrix.empty(2).add(moments.mean_p.argmax(0).astype(np.uint8), mask).dice[1] > 0.75
    )
    outlines = make_contour_target(mask)
    contour = moments.extras["contour"]
    assert contour[outlines == 1].mean() > 2 * contour[outlines == 0].mean()


def test_learned_loss_ranks_hard_places_above_easy_ones():
    segmenter = TorchSegmenterFactory("cpu").build("fast", classes=CLASSES, seed=0)
    rng = np.random.default_rng(0)
    made = examples()
    for example in made:  # labels are right on the left and a coin's toss on the right
        right = example.target[:, 50:]
        tossed = rng.integers(0, 2, right.shape).astype(np.uint8)
        example.target[:, 50:] = np.where(right == UNLABELLED, UNLABELLED, tossed)
        example.image[:, 50:] = 255 - example.image[:, 50:]
    plan = TrainingOptions(epochs=150, learned_loss=True)
    segmenter.train(TrainingData(made), plan=plan, on_step=ignore, check_cancelled=lambda: None)
    asked = InferenceOptions(uncertainty_from="single", extras=("learned-loss",))
    outputs = segmenter.predict(made[0].image, plan=asked, check_cancelled=lambda: None)
    expected = outputs.moments.extras["learned-loss"]
    assert expected[25:55, 55:65].mean() > 1.5 * expected[25:55, 32:45].mean()


def test_learned_loss_travels_with_its_checkpoint(tmp_path):
    segmenter = TorchSegmenterFactory("cpu").build("fast", classes=CLASSES, seed=0)
    plan = TrainingOptions(epochs=2, learned_loss=True)
    segmenter.train(
        TrainingData(examples()), plan=plan, on_step=ignore, check_cancelled=lambda: None
    )
    segmenter.save(tmp_path / "m.safetensors", facts={})
    asked, image = (
        InferenceOptions(uncertainty_from="single", extras=("learned-loss",)),
        disk_picture(3)[0],
    )
    found = [
        s.predict(image, plan=asked, check_cancelled=lambda: None).moments.extras["learned-loss"]
        for s in (
            segmenter,
            TorchSegmenterFactory("cpu").load(
                tmp_path / "m.safetensors", classes=("object", "rest"), outputs=(1, 0)
            ),
        )
    ]
    assert (found[0] == found[1]).all()


def test_same_seed_trains_the_same_model():
    image, _ = disk_picture(5)
    first, again, other = (predicted(trained(seed=s, epochs=3)[0], image) for s in (1, 1, 2))
    assert (first == again).all()
    assert not (first == other).all()


def test_pixels_outside_the_labels_teach_nothing():
    plain, spoilt = examples(), examples()
    for example in spoilt:  # beyond the reach of the filters around the labelled square
        example.image[:, 118:] = 255
    network = FilterBankMLP(2)
    drawn = [
        PixelBatches(network, e, batch=256, device=CPU).draw(np.random.default_rng(0))
        for e in (plain, spoilt)
    ]
    assert torch.equal(drawn[0].target, drawn[1].target)
    assert (drawn[0].target != UNLABELLED).all()


def test_every_crop_holds_a_label_and_keeps_255_through_augmentation():
    network = SmallUNet(2)
    batches = CropBatches(
        network, examples(side=6), batch=8, crop=32, device=CPU, augmentation=GENERAL
    )
    rng = np.random.default_rng(0)
    for _ in range(10):
        batch = batches.draw(rng)
        target = batch.target
        assert batch.size == (32, 32)
        assert target.shape == (8, 32, 32)
        assert (target != UNLABELLED).flatten(1).any(dim=1).all()
        assert set(target.unique().tolist()) <= {0, 1, UNLABELLED}
        assert batch.features[0].shape[0] == 8
        assert batch.contour is None


def test_example_smaller_than_a_crop_is_padded_with_not_labelled():
    image, mask = disk_picture(0, (24, 60))
    batches = CropBatches(
        SmallUNet(2),
        [TrainExample(image, mask)],
        batch=4,
        crop=64,
        device=CPU,
        augmentation=get_augmentation("flips"),
    )
    target = batches.draw(np.random.default_rng(0)).target
    assert (target != UNLABELLED).flatten(1).sum(dim=1).tolist() == [24 * 60] * 4


@pytest.mark.parametrize("preset", PRESET_NAMES)
def test_nothing_labelled_is_refused_before_training(preset):
    factory = TorchSegmenterFactory("cpu")
    segmenter = factory.build(preset, classes=CLASSES, seed=0, weights="random")
    image, mask = disk_picture(0)
    blank = TrainExample(image, np.full_like(mask, UNLABELLED))
    for nothing in ([], [blank]):
        with pytest.raises(NothingToDoError, match="nothing is labelled"):
            segmenter.train(
                TrainingData(nothing),
                plan=TrainingOptions(epochs=1),
                on_step=print,
                check_cancelled=lambda: None,
            )


def test_cancel_stops_within_one_step():
    steps = []

    def check():
        if len(steps) == 2:
            raise StoppedError("stop")

    with pytest.raises(StoppedError):
        trained(epochs=50, on_step=steps.append, check=check)
    assert [s.step for s in steps] == [1, 2]


@pytest.mark.parametrize("preset", ["fast", "unet"])
def test_checkpoint_brings_the_same_model_back(tmp_path, preset):
    segmenter, _ = trained(preset, epochs=1)
    path = tmp_path / "models" / "m001.safetensors"
    segmenter.save(path, facts={"model_id": "m001"})
    loaded = TorchSegmenterFactory("cpu").load(path, classes=CLASSES)
    image, _ = disk_picture(7)
    assert (predicted(loaded, image) == predicted(segmenter, image)).all()
    assert loaded.preset == preset
    assert [p.name for p in path.parent.iterdir()] == ["m001.safetensors"]


def test_foreign_damaged_and_malicious_checkpoints_are_refused(tmp_path):
    factory = TorchSegmenterFactory("cpu")
    path = tmp_path / "m.safetensors"
    with pytest.raises(ModelError, match="not there"):
        factory.load(path, classes=CLASSES)
    segmenter, _ = trained(epochs=1)
    segmenter.save(path, facts={})
    with pytest.raises(ModelError, match="trained for background, disk"):
        factory.load(path, classes=("a", "b"))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelError, match="damaged"):
        factory.load(path, classes=CLASSES)
    header = b'{"__metadata__":{"format":"pt"}}'
    path.write_bytes(struct.pack("<Q", len(header)) + header)
    with pytest.raises(ModelError, match="not written by napari-active-seg"):
        factory.load(path, classes=CLASSES)
    proof = tmp_path / "ran"

    class Evil:
        def __reduce__(self):
            return (Path.touch, (proof,))

    path.write_bytes(pickle.dumps(Evil()))
    with pytest.raises(ModelError):
        factory.load(path, classes=CLASSES)
    assert not proof.exists()


def test_trainings_are_so_many_times_as_long_as_the_presets_or_the_asked_steps():
    def steps(**plan):
        recipe = get_preset("unet").recipe(
            TrainingOptions(**plan), per_epoch=7, on_gpu=False, half="bfloat16"
        )
        return recipe.n_steps

    assert steps() == PRESETS["unet"].n_steps
    assert steps(training_length=10) == 10 * steps()
    assert steps(steps=50, training_length=3, shorter=2) == 75
    assert steps(epochs=2, training_length=3) == 14  # epochs say it all


def test_presets_and_devices_are_known_by_name():
    assert tuple(PRESETS) == PRESET_NAMES
    assert get_preset("dcan:101").n_steps == PRESETS["dcan"].n_steps
    assert get_preset("dcan:101").name == "dcan:101"
    with pytest.raises(ConfigError, match="did you mean 'unet'"):
        get_preset("u-net")
    with pytest.raises(ConfigError, match="auto, cpu or cuda"):
        resolve_device("gpu")
    if not torch.cuda.is_available():
        with pytest.raises(ConfigError, match="no CUDA device"):
            resolve_device("cuda")
    assert device_facts()["torch"] == torch.__version__


def test_checkpoint_that_cannot_be_written_says_so_and_leaves_the_old_one(tmp_path):
    segmenter = TorchSegmenterFactory("cpu").build("fast", classes=("a", "b"), seed=0)
    path = tmp_path / "m001.safetensors"
    segmenter.save(path, facts={})
    before = path.read_bytes()
    (tmp_path / "m001.safetensors.new").mkdir()  # in the way of the file that is written first
    with pytest.raises(ModelError, match="could not be written"):
        segmenter.save(path, facts={})
    assert path.read_bytes() == before


def test_model_answers_in_classes_that_changed_since(tmp_path):
    factory = TorchSegmenterFactory("cpu")
    path = tmp_path / "m.safetensors"
    factory.build("fast", classes=("a", "b", "c"), seed=3).save(path, facts={})
    image = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)

    def moments(**more):
        loaded = factory.load(path, **more)
        plan = InferenceOptions(samples=6, seed=1)
        return loaded.predict(image, plan=plan, check_cancelled=lambda: None).moments

    plain = moments(classes=("a", "b", "c"))
    turned = moments(classes=("c", "new", "a", "b"), outputs=(2, 3, 0))
    np.testing.assert_allclose(turned.mean_p[[2, 3, 0]], plain.mean_p, atol=1e-6)
    assert (turned.mean_p[1] == 0).all() and np.isfinite(turned.mean_plogp).all()
    np.testing.assert_allclose(turned.mean_plogp, plain.mean_plogp, atol=1e-5)
    merged = moments(classes=("ab", "c"), outputs=(0, 0, 1))
    np.testing.assert_allclose(merged.mean_p[0], plain.mean_p[:2].sum(axis=0), atol=1e-6)
    np.testing.assert_allclose(merged.mean_p[1], plain.mean_p[2], atol=1e-6)
    p = merged.mean_p.astype(np.float64)  # merging first and averaging then: never more entropy
    assert (-merged.mean_plogp <= -plain.mean_plogp + 1e-5).all() and (p.sum(axis=0) > 0.999).all()
    with pytest.raises(ModelError, match="was trained for a, b, c"):
        factory.load(path, classes=("x", "b", "c"))
    with pytest.raises(ModelError, match="was trained for"):
        factory.load(path, classes=("x", "b"), outputs=(0, 1))
