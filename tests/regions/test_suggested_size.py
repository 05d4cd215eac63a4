import numpy as np
import pytest

from napari_active_seg.regions import measure_mixed_squares, suggest_region_size


def count_slowly(mask, size, stride):
    """Look at every square by itself: how many are mixed, how many count."""
    mixed = counted = 0
    height, width = mask.shape
    for y in sorted({*range(0, height - size, stride), height - size}):
        for x in sorted({*range(0, width - size, stride), width - size}):
            square = mask[y : y + size, x : x + size]
            near = mask[max(0, y - size) : y + 2 * size, max(0, x - size) : x + 2 * size]
            known = square[square != 255]
            if not np.isin(near, (0, 255), invert=True).any() or known.size < 0.99 * size**2:
                continue
            counted += 1
            mixed += max(np.bincount(known)) <= 0.99 * known.size
    return mixed, counted


@pytest.mark.parametrize("seed", range(3))
def test_squares_are_counted_as_a_slow_loop_counts_them(seed):
    rng = np.random.default_rng(seed)
    mask = np.kron(rng.integers(0, 3, (6, 8)), np.ones((16, 16))).astype(np.uint8)
    mask[:, :40] = 0
    mask[:20, 90:] = 255
    sizes = (16, 24, 64)
    measured = measure_mixed_squares([mask], sizes=sizes)
    for size in sizes:
        mixed, counted = count_slowly(mask.astype(np.int64), size, max(1, size // 8))
        assert counted > 0 and measured[size] == mixed / counted


def disk(side, radius):
    y, x = np.mgrid[:side, :side]
    return (np.hypot(y - side / 2, x - side / 2) < radius).astype(np.uint8)


def suggested_for(mask):
    return suggest_region_size([mask.shape], mixed=measure_mixed_squares([mask]))


def test_larger_objects_ask_for_larger_regions():
    """The smallest size at which most squares hold more than one class."""
    for side in (512, 1024):
        suggested = suggested_for(disk(side, 0.4 * side))
        assert suggested.mixed[suggested.size] >= 0.7
        smaller = [share for size, share in suggested.mixed.items() if size < suggested.size]
        assert smaller and max(smaller) < 0.7
    assert suggested_for(disk(1024, 410)).size > suggested_for(disk(512, 205)).size


def test_sparse_objects_do_not_ask_for_whole_images():
    """Only squares of half an image would do; the size of the images decides."""
    mask = disk(512, 30)
    assert suggested_for(mask).mixed[256] >= 0.7 > suggested_for(mask).mixed[192]
    assert suggested_for(mask).size == suggest_region_size([mask.shape]).size == 160


def test_large_masks_are_measured_on_fewer_pixels_with_the_same_answer():
    mask = disk(512, 150)
    fine = measure_mixed_squares([np.kron(mask, np.ones((4, 4), np.uint8))], sizes=(256, 512))
    whole = measure_mixed_squares([mask], sizes=(64, 128))
    assert [fine[256], fine[512]] == pytest.approx([whole[64], whole[128]], abs=0.05)


def test_sizes_beyond_the_image_are_left_out():
    suggested = suggest_region_size([(500, 400)], mixed={64: 0.1, 160: 0.8, 512: 0.9})
    assert (suggested.size, set(suggested.mixed)) == (160, {64, 160})


@pytest.mark.parametrize(
    ("shape", "spacing", "size"),
    [
        ((512, 512), None, 160),  # about a third of the shorter side
        ((256, 400), None, 96),
        ((50_000, 40_000), None, 512),
        ((50_000, 40_000), 0.25, 384),  # 100 micrometres
        ((50_000, 40_000), 0.5, 192),
        ((512, 512), 5.0, 160),  # no microscope: spacing says nothing of cells
        ((40, 50), None, 40),
    ],
)
def test_without_masks_the_images_decide(shape, spacing, size):
    assert suggest_region_size([shape], spacing=spacing).size == size


def test_empty_masks_say_nothing_and_one_tiny_image_does_not_decide():
    assert measure_mixed_squares([np.zeros((200, 200), np.uint8)]) == {}
    assert suggest_region_size([(512, 512), (20, 20), (512, 512)]).size == 160


def test_summary_names_size_share_and_evidence():
    text = suggest_region_size([(512, 512)], mixed={160: 0.714}).summary
    assert text.startswith("Suggested region size: 160 px, about 31 % of the shorter side")
    assert "71 % of such squares hold more than one class" in text
