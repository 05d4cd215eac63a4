import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_active_seg.errors import BadInputError, SchemaError
from napari_active_seg.regions import (
    UNLABELLED,
    LabelSchema,
    check_target,
    paint_to_target,
    target_to_paint,
)


def test_schema_gives_each_class_a_colour_and_an_index():
    schema = LabelSchema.from_names(["background", "gland"])
    assert len(schema) == 2
    assert schema.index("gland") == 1
    assert len(set(schema.colours)) == 2


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["gland"], "2 to 255"),
        (["a", "a"], "twice"),
        (["Gland", "gland"], "twice"),
        (["a", ""], "empty"),
        (["a", " b"], "space"),
        ([str(i) for i in range(256)], "2 to 255"),
    ],
)
def test_senseless_class_lists_are_refused_with_the_reason(names, words):
    with pytest.raises(SchemaError, match=words):
        LabelSchema.from_names(names)


def test_misspelt_class_offers_the_nearest():
    with pytest.raises(SchemaError, match="did you mean 'gland'"):
        LabelSchema.from_names(["background", "gland"]).index("glnd")


@given(hnp.arrays(np.uint8, (5, 7), elements=st.sampled_from([0, 1, 2, UNLABELLED])))
def test_target_survives_the_way_to_paint_and_back(target):
    paint = target_to_paint(target)
    assert ((paint == 0) == (target == UNLABELLED)).all()
    assert (paint_to_target(paint, n_classes=3) == target).all()


def test_paint_that_is_no_class_is_refused():
    with pytest.raises(BadInputError, match="0 to 2"):
        paint_to_target(np.full((2, 2), 3), n_classes=2)


def test_check_target_names_the_wrong_value_and_the_place():
    with pytest.raises(BadInputError, match=r"region r1: value 2 is not a class"):
        check_target(np.full((2, 2), 2, np.uint8), n_classes=2, where="region r1")
    with pytest.raises(BadInputError, match="uint8"):
        check_target(np.zeros((2, 2)), n_classes=2, where="x")
    check_target(np.full((2, 2), UNLABELLED, np.uint8), n_classes=2, where="x")
