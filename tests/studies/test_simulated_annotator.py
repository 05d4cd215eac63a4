"""A simulated annotator: the truth where it is exact, stated errors where it is not."""

import numpy as np
import pytest

from napari_active_seg.errors import ConfigError
from napari_active_seg.regions import UNLABELLED, MaskedRegion, Region, RegionShape
from napari_active_seg.studies import AnnotatorSettings, answer, simplified


def disks(shape=(160, 200), count=6, radius=14):
    y, x = np.mgrid[: shape[0], : shape[1]]
    truth = np.zeros(shape, np.uint8)
    for k in range(count):
        cy, cx = 40 + 80 * (k // 3), 35 + 65 * (k % 3)
        truth[np.hypot(y - cy, x - cx) < radius] = 1
    return truth


def place_of(truth, y=0, x=0):
    return MaskedRegion(Region("a", y, x, *truth.shape))


def asked(truth, before=0, n_classes=2, place=None, **settings):
    place = place or place_of(truth)
    return answer(truth, place, AnnotatorSettings(**settings), n_classes=n_classes, before=before)


def dice(a, b):
    return 2 * ((a == 1) & (b == 1)).sum() / ((a == 1).sum() + (b == 1).sum())


def test_the_usual_annotator_says_the_truth_and_counts_what_it_takes():
    truth = disks()
    truth[:5] = UNLABELLED
    told = asked(truth)
    np.testing.assert_array_equal(told.target, truth)
    assert told.pixels == (truth != UNLABELLED).sum()
    circles = 6 * 2 * np.pi * 14
    assert told.perimeter == pytest.approx(circles * 4 / np.pi + 200, rel=0.1)  # in pixel edges
    assert told.seconds == pytest.approx(3 + 1.2 * told.clicks + 1e-4 * told.pixels)


def test_outside_the_shape_of_a_place_nothing_is_said():
    truth = disks()
    mask = np.zeros(truth.shape, bool)
    mask[20:60, 20:60] = True
    place = MaskedRegion(Region("a", 0, 0, *truth.shape), RegionShape.of(mask))
    told = asked(truth, place=place)
    assert (told.target[~mask] == UNLABELLED).all()
    np.testing.assert_array_equal(told.target[mask], truth[mask])


def test_coarser_polygons_take_fewer_clicks_and_keep_less():
    truth = disks(radius=18)
    told = [asked(truth, tolerance=t) for t in (0.5, 1.0, 3.0, 6.0)]
    clicks, kept = [t.clicks for t in told], [dice(t.target, truth) for t in told]
    assert clicks == sorted(clicks, reverse=True) and clicks[0] > 2 * clicks[-1]
    assert kept == sorted(kept, reverse=True)
    assert kept[0] > 0.98 and 0.6 < kept[-1] < 0.95


def test_polygons_keep_holes_and_objects_within_others():
    y, x = np.mgrid[:120, :120]
    apart = np.hypot(y - 60, x - 60)
    truth = np.where(apart < 50, 1, 0).astype(np.uint8)
    truth[apart < 30] = 0
    truth[apart < 15] = 2
    drawn = simplified(truth, 1.0)
    assert (drawn == truth).mean() > 0.97
    assert drawn[60, 60] == 2 and drawn[60, 38] == 0 and drawn[60, 20] == 1


def test_missed_and_confused_objects_come_in_the_stated_shares():
    pieces = [disks() for _ in range(60)]
    missed = confused = 0
    for number, truth in enumerate(pieces):
        place = place_of(truth, y=number)
        gone = asked(truth, missed=0.25, place=place).target
        missed += sum(gone[40 + 80 * (k // 3), 35 + 65 * (k % 3)] == 0 for k in range(6))
        other = asked(truth, confused=0.25, n_classes=3, place=place).target
        confused += int((other == 2).any()) and sum(
            other[40 + 80 * (k // 3), 35 + 65 * (k % 3)] == 2 for k in range(6)
        )
    assert missed / 360 == pytest.approx(0.25, abs=0.07)
    assert confused / 360 == pytest.approx(0.25, abs=0.07)
    only_two = asked(disks(), confused=1.0, n_classes=2).target
    np.testing.assert_array_equal(only_two, disks())  # there is no other object to take it for


def test_an_unsteady_hand_is_off_by_as_much_as_it_is_told():
    truth = np.zeros((200, 200), np.uint8)
    truth[:, 100:] = 1
    told = asked(truth, jitter=2.0).target
    edge = (told == 0).sum(axis=1) - 100.0
    assert 1.0 < edge.std() < 3.5
    assert abs(np.diff(edge)).mean() < 1.0  # a smooth line, no dust


def test_tired_annotators_are_slower_and_wrong_more_often():
    truth = disks()
    fresh = asked(truth, fatigue=1.0)
    tired = asked(truth, before=100, fatigue=1.0)
    assert tired.seconds == pytest.approx(2 * fresh.seconds)
    lost = [
        sum(
            (asked(truth, before, missed=0.2, fatigue=1.0, place=place_of(truth, y=k)).target == 1)
            .sum() for k in range(30)
        )
        for before in (0, 200)
    ]  # fmt: skip
    assert lost[1] < lost[0]


def test_time_is_noisy_about_its_middle():
    truth = disks()
    plain = asked(truth).seconds
    told = [asked(truth, noise=0.3, place=place_of(truth, x=k)).seconds for k in range(200)]
    assert np.median(told) == pytest.approx(plain, rel=0.1)
    assert np.log(told).std() == pytest.approx(0.3, rel=0.2)


def test_a_place_is_answered_alike_whenever_it_is_asked():
    truth = disks()
    settings = {"jitter": 1.5, "missed": 0.3, "noise": 0.2, "tolerance": 2.0}
    one, again = asked(truth, **settings), asked(truth, **settings)
    np.testing.assert_array_equal(one.target, again.target)
    assert one.seconds == again.seconds
    elsewhere = asked(truth, place=place_of(truth, y=7), **settings)
    assert (elsewhere.target != one.target).any()
    other_seed = asked(truth, seed=1, **settings)
    assert (other_seed.target != one.target).any()


@pytest.mark.parametrize(
    "wrong",
    [
        {"missed": 1.5},
        {"confused": -0.1},
        {"jitter": -1.0},
        {"tolerance": float("nan")},
        {"noise": float("inf")},
    ],
)
def test_impossible_annotators_are_refused(wrong):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        AnnotatorSettings(**wrong)
