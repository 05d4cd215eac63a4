import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, jaccard_score

from napari_active_seg.errors import BadInputError
from napari_active_seg.metrics import ConfusionMatrix, EvalReport
from napari_active_seg.regions import UNLABELLED, Region
from napari_active_seg.uncertainty import MomentStream, Prediction


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 5))
def test_pixel_scores_equal_sklearn(seed, c):
    rng = np.random.default_rng(seed)
    target = rng.integers(0, c, (15, 9)).astype(np.uint8)
    predicted = np.where(rng.random((15, 9)) < 0.6, target, rng.integers(0, c, (15, 9)))
    target[rng.random((15, 9)) < 0.2] = UNLABELLED
    matrix = ConfusionMatrix.empty(c).add(predicted.astype(np.uint8), target)
    y, p = target[target != UNLABELLED], predicted[target != UNLABELLED]
    labels = list(range(c))
    assert (matrix.counts == confusion_matrix(y, p, labels=labels)).all()
    assert matrix.accuracy == pytest.approx(accuracy_score(y, p))
    present = [k for k in labels if k in y or k in p]
    dice = f1_score(y, p, labels=labels, average=None, zero_division=0)
    jaccard = jaccard_score(y, p, labels=labels, average=None, zero_division=0)
    np.testing.assert_allclose(matrix.dice[present], dice[present])
    np.testing.assert_allclose(matrix.jaccard[present], jaccard[present])


def test_a_class_that_appears_nowhere_is_no_score_and_no_part_of_the_mean():
    same = np.zeros((4, 4), np.uint8)
    matrix = ConfusionMatrix.empty(3).add(same, same)
    assert np.isnan(matrix.dice[1:]).all()
    assert matrix.mean_dice == matrix.mean_jaccard == 1.0
    assert np.isnan(ConfusionMatrix.empty(2).mean_dice)
    assert np.isnan(ConfusionMatrix.empty(2).accuracy)


def test_unlike_shapes_are_refused():
    with pytest.raises(BadInputError):
        ConfusionMatrix.empty(2).add(np.zeros((2, 2), np.uint8), np.zeros((3, 2), np.uint8))


def prediction(foreground, name="a"):
    p = np.asarray(foreground, float)
    stream = MomentStream()
    stream.add(np.stack([1 - p, p]))
    moments = stream.moments()
    return Prediction(Region.whole(name, moments.shape), moments, "m001")


def test_report_pools_pixels_and_keeps_images_apart():
    report = EvalReport.empty(("background", "gland"))
    report = report.add(prediction([[0.9, 0.9, 0.1]]), np.array([[1, 1, 0]], np.uint8))
    report = report.add(prediction([[0.9]], "b"), np.array([[0]], np.uint8))
    figures = report.figures()
    assert report.image_ids == ("a", "b")
    assert figures["accuracy"] == pytest.approx(3 / 4)
    assert figures["dice/gland"] == pytest.approx(2 * 2 / (3 + 2))
    assert figures["image_mean_dice"] == pytest.approx((1.0 + 0.0) / 2)
    assert figures["ece"] == pytest.approx(abs(3 - 4 * 0.9) / 4, abs=1e-6)
    assert 0 < figures["brier"] < 2


def test_report_leaves_out_what_cannot_be_told():
    nothing = np.full((1, 3), UNLABELLED, np.uint8)
    report = EvalReport.empty(("a", "b")).add(prediction([[0.9, 0.9, 0.1]]), nothing)
    assert report.figures() == {}
