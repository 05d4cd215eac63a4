"""Labels near each other become one example, and lose nothing by it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_active_seg.regions import UNLABELLED, Region, RegionLabel, RegionState
from napari_active_seg.session.training.data import readable_examples

SHAPE = (400, 700)
PICTURE = np.random.default_rng(0).integers(0, 255, (*SHAPE, 3), np.uint8)


class Source:
    shape = SHAPE

    def read(self, level, y, x, height, width):
        return PICTURE[y : y + height, x : x + width]


def label(y, x, side=30, image="a", value=1, objects=None):
    target = np.full((side, side), value, np.uint8)
    ids = None if objects is None else np.full((side, side), objects, np.int32)
    return RegionLabel(Region(image, y, x, side, side), target, RegionState.DONE, "me", objects=ids)


def examples(labels, holdout=frozenset()):
    return readable_examples(labels, lambda image_id: Source(), holdout=holdout)


def test_neighbours_share_an_example_and_distant_labels_do_not():
    near = examples([label(10, 10), label(60, 50)])
    assert len(near) == 1
    assert (near[0].target != UNLABELLED).sum() == 2 * 30 * 30
    assert len(examples([label(10, 10), label(10, 600)])) == 2
    assert len(examples([label(10, 10), label(10, 10, image="b")])) == 2


def test_spare_labels_stay_apart():
    one, two = label(10, 10), label(60, 50)
    found = examples([one, two], holdout=frozenset({two.region}))
    assert [e.holdout for e in found] == [False, True]


def test_ids_of_objects_stay_different():
    (found,) = examples([label(10, 10, objects=3), label(60, 50, objects=3)])
    assert len(np.unique(found.instances)) == 3
    assert len(examples([label(10, 10, objects=3), label(60, 50)])) == 2


def test_the_later_of_two_labels_over_each_other_counts_where_it_knows():
    first, second = label(10, 10, value=0), label(20, 20, value=1)
    second.target[:5] = UNLABELLED
    (found,) = examples([first, second])
    classes, counts = np.unique(found.target, return_counts=True)
    assert dict(zip(classes.tolist(), counts.tolist(), strict=True)) == {
        0: 900 - 15 * 20,
        1: 25 * 30,
        UNLABELLED: found.target.size - (900 - 15 * 20) - 25 * 30,
    }


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 360), st.integers(0, 660), st.sampled_from(["a", "b"])),
        min_size=1,
        max_size=25,
        unique=True,
    )
)
def test_every_label_is_in_one_example_with_its_pixels(places):
    labels = [label(y, x, image=image, value=k % 2) for k, (y, x, image) in enumerate(places)]
    found = examples(labels)
    known = {image: np.full(SHAPE, UNLABELLED, np.uint8) for image in "ab"}
    for one in labels:
        known[one.region.image_id][one.region.slices] = one.target
    alone = sum((30 + 128) ** 2 for _ in labels)
    assert sum(e.target.size for e in found) <= 1.5 * alone
    for e in found:
        h, w = e.target.shape
        corners = [
            (y, x)
            for y in range(SHAPE[0] - h + 1)
            for x in range(SHAPE[1] - w + 1)
            if np.array_equal(PICTURE[y, x], e.image[0, 0])
            and np.array_equal(PICTURE[y : y + h, x : x + w], e.image)
        ]
        assert len(corners) == 1
    assert sum((e.target != UNLABELLED).sum() for e in found) >= max(
        (known[image] != UNLABELLED).sum() for image in "ab"
    )


@pytest.mark.parametrize("count", [400])
def test_many_labels_are_grouped_quickly_enough_to_be_one_list(count):
    rng = np.random.default_rng(3)
    labels = [label(int(rng.integers(360)), int(rng.integers(660))) for _ in range(count)]
    found = examples(labels)
    assert len(found) < count / 4
