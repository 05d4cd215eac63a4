import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from skimage.color import hed2rgb, rgb2hed

from napari_active_seg.errors import ConfigError
from napari_active_seg.images.samples import SAMPLE_SETS
from napari_active_seg.learning.networks import SmallUNet
from napari_active_seg.learning.training.augmentation import (
    Augmentation,
    Warp,
    get_augmentation,
)
from napari_active_seg.learning.training.crops import CropBatches
from napari_active_seg.learning.training.cutmix import apply_cutmix, draw_mix_boxes
from napari_active_seg.learning.training.dermoscopy import add_hairs, add_uneven_light
from napari_active_seg.learning.training.padding import cut_window
from napari_active_seg.learning.training.pixel_sampler import LabelledPlaces
from napari_active_seg.learning.training.stain import hed_to_rgb, jitter_stain, rgb_to_hed
from napari_active_seg.models.segmenter import TrainExample
from napari_active_seg.models.training_options import TrainingOptions
from napari_active_seg.regions import UNLABELLED

CPU = torch.device("cpu")


def rng(seed=0):
    return np.random.default_rng(seed)


def coded(side=120):
    """A picture whose colour tells its class, with a labelled square in the middle."""
    y, x = np.mgrid[:side, :side]
    classes = ((y // 12 + x // 12) % 3).astype(np.uint8)
    image = np.repeat((classes * 100)[..., None], 3, axis=2).astype(np.uint8)
    target = np.full((side, side), UNLABELLED, np.uint8)
    target[30:90, 30:90] = classes[30:90, 30:90]
    return image, target


@given(st.integers(0, 10_000))
def test_every_warp_moves_picture_and_mask_alike_and_keeps_255(seed):
    image, target = coded()
    shaken = Augmentation(warped=1.0, zoom=0.4)
    warp = shaken.draw_warp(rng(seed))
    side = warp.source_side(48)
    start = 60 - side // 2
    moved, masks = shaken.moved(
        cut_window(image, start, start, side),
        cut_window(target, start, start, side, fill=UNLABELLED)[None],
        warp,
        48,
        rng(seed),
    )
    assert moved.shape == (3, 48, 48) and masks.shape == (1, 48, 48)
    assert moved.dtype == masks.dtype == torch.uint8
    labels = masks[0].numpy()
    assert set(np.unique(labels)) <= {0, 1, 2, UNLABELLED}
    labelled = labels != UNLABELLED
    assert labelled.any()
    # Away from borders between squares the colour still tells the class.
    exact = np.isin(moved[0].numpy(), (0, 100, 200)) & labelled
    assert exact.mean() > 0.1 * labelled.mean()
    assert (moved[0].numpy()[exact] == labels[exact] * 100).mean() > 0.97


def test_warp_brings_nothing_labelled_in_from_outside():
    image, target = np.zeros((40, 40, 3), np.uint8), np.ones((40, 40), np.uint8)
    warp = Warp(45.0, 1.0)
    side = warp.source_side(40)
    start = 20 - side // 2
    _, masks = Augmentation(turns=False).moved(
        cut_window(image, start, start, side),
        cut_window(target, start, start, side, fill=UNLABELLED)[None],
        warp,
        40,
        rng(),
    )
    corners = masks[0][[0, 0, -1, -1], [0, -1, 0, -1]]
    assert (corners == UNLABELLED).all()
    assert masks[0][20, 20] == 1


@pytest.mark.parametrize("name", TrainingOptions.list_fields()["augmentation"].choices)
def test_every_set_gives_pictures_in_0_to_1_from_its_seed_alone(name):
    chosen, (image, _) = get_augmentation(name), coded(48)
    planes = torch.from_numpy(image.transpose(2, 0, 1).copy())
    for made in (chosen, chosen.strong()):
        first = made.augment_colour(planes, rng(3))
        assert first.shape == (3, 48, 48) and first.min() >= 0 and first.max() <= 1
        torch.manual_seed(7)  # the global generator plays no part
        assert torch.equal(first, made.augment_colour(planes, rng(3)))
    assert (get_augmentation("none").augment_colour(planes, rng()) == planes / 255).all()
    with pytest.raises(ConfigError, match="did you mean 'histology'"):
        get_augmentation("histologie")


def test_strong_set_changes_more_than_the_weak_one():
    picture = SAMPLE_SETS["histology"].draw(0).image[:128, :128]
    planes = torch.from_numpy(picture.transpose(2, 0, 1).copy())
    weak = get_augmentation("histology")

    def change(made):
        changed = [made.augment_colour(planes, rng(seed)) - planes / 255 for seed in range(20)]
        return float(torch.stack(changed).abs().mean())

    assert change(weak.strong()) > 1.5 * change(weak) > 0


def test_stain_is_taken_apart_as_scikit_image_does():
    picture = SAMPLE_SETS["histology"].draw(0).image[:64, :64] / 255
    planes = torch.from_numpy(picture.transpose(2, 0, 1).copy()).float()
    expected = rgb2hed(picture)
    found = rgb_to_hed(planes).numpy().transpose(1, 2, 0)
    np.testing.assert_allclose(found.clip(0), expected, atol=2e-5)
    torch.testing.assert_close(hed_to_rgb(rgb_to_hed(planes)), planes, atol=1e-4, rtol=0)
    back = hed_to_rgb(torch.from_numpy(expected.transpose(2, 0, 1)).float()).numpy()
    np.testing.assert_allclose(back.transpose(1, 2, 0), hed2rgb(expected), atol=1e-4)


def test_new_stain_keeps_glass_white_and_changes_tissue():
    picture = SAMPLE_SETS["histology"].draw(0).image
    planes = torch.from_numpy(picture.transpose(2, 0, 1).copy()).float() / 255
    glass = planes.amin(dim=0) > 0.93
    changed = [jitter_stain(planes, rng(seed), strength=0.3) for seed in range(5)]
    for new in changed:
        assert (new - planes)[:, glass].abs().mean() < 0.04
    moved = torch.stack([(new - planes)[:, ~glass].abs().mean() for new in changed])
    assert moved.mean() > 0.02


def test_hairs_are_dark_thin_and_cross_the_picture():
    planes = torch.full((3, 80, 100), 0.8)
    shares = []
    for seed in range(20):
        dark = (add_hairs(planes, rng(seed), most=1)[0] < 0.5).numpy()
        shares.append(dark.mean())
        if dark.any():
            assert dark.any(axis=0).all() or dark.any(axis=1).all()
    assert min(shares) == 0 < max(shares) < 0.1
    lit = add_uneven_light(planes, rng(), strength=0.3)
    assert lit.std() > 0.02
    assert (lit.diff(dim=-1).abs() < 0.05).all()  # no edges


@given(st.integers(0, 10_000), st.integers(2, 6))
def test_cutmix_takes_picture_and_target_from_the_same_place(seed, count):
    boxes = draw_mix_boxes(count, (20, 30), rng(seed))
    rows = torch.arange(count)[:, None, None].expand(count, 20, 30)
    pictures = apply_cutmix(rows[:, None].expand(count, 3, 20, 30).float(), boxes)
    targets = apply_cutmix(rows, boxes)
    assert (pictures[:, 0] == targets).all()
    before = torch.arange(count).roll(1)
    for number, box in enumerate(boxes):
        assert (targets[number][box] == before[number]).all()
        assert (targets[number][~box] == number).all()
        assert float(box.float().mean()) < 0.45


def test_even_classes_are_drawn_alike_and_plain_places_by_pixel():
    target = np.full((50, 50), UNLABELLED, np.uint8)
    target[:40, :40] = 0
    target[45, 45] = 1
    other = np.full((10, 10), 2, np.uint8)
    targets = [target, other]

    def counts(places):
        drawn = [places.draw(generator) for _ in range(3000)]
        labels = [targets[n][y, x] for n, y, x in drawn]
        return np.bincount(labels, minlength=3) / len(labels)

    generator = rng()
    np.testing.assert_allclose(counts(LabelledPlaces(targets, even=True)), 1 / 3, atol=0.04)
    plain = LabelledPlaces(targets)
    np.testing.assert_allclose(counts(plain), np.array([1600, 1, 100]) / 1701, atol=0.03)
    assert plain.count == 1701


def test_crops_lose_no_label_to_a_warp_and_come_from_their_seed():
    image, target = coded()
    lonely = np.full_like(target, UNLABELLED)
    lonely[61, 59] = 1
    shaken = Augmentation(warped=1.0, zoom=0.5)
    batches = CropBatches(
        SmallUNet(3),
        [TrainExample(image, lonely)],
        batch=4,
        crop=32,
        device=CPU,
        augmentation=shaken,
    )
    for seed in range(20):
        batch, again = batches.draw(rng(seed)), batches.draw(rng(seed))
        assert (batch.target != UNLABELLED).flatten(1).any(dim=1).all()
        assert torch.equal(batch.target, again.target)
        assert all(map(torch.equal, batch.features, again.features))


@given(st.integers(-30, 30), st.integers(-30, 30), st.integers(1, 40))
def test_window_is_what_padding_would_give(top, left, side):
    plane = rng(1).integers(0, 255, (13, 17), dtype=np.uint8)
    mirrored = np.pad(plane, 80, mode="symmetric")
    filled = np.pad(plane, 80, constant_values=UNLABELLED)
    window = (slice(top + 80, top + 80 + side), slice(left + 80, left + 80 + side))
    assert (cut_window(plane, top, left, side) == mirrored[window]).all()
    assert (cut_window(plane, top, left, side, fill=UNLABELLED) == filled[window]).all()
