import numpy as np
import pytest

from napari_active_seg.errors import BadInputError
from napari_active_seg.metrics import ClassConfidence, find_contradiction


def maps(truth, confidence=0.9):
    p = np.where(truth == 1, confidence, 1 - confidence).astype(np.float32)
    return np.stack([1 - p, p])


def square():
    truth = np.zeros((40, 40), np.uint8)
    truth[10:30, 10:30] = 1
    return truth


def test_a_planted_mistake_is_found_with_its_place():
    truth = square()
    label = truth.copy()
    label[20:28, 12:22] = 0  # 80 pixels of the object given to the background
    label[:, :5] = 255
    held = ClassConfidence.empty(2).add(maps(truth), truth)
    np.testing.assert_allclose(held.thresholds, 0.9, rtol=1e-6)
    found = find_contradiction(maps(truth), label, held.thresholds)
    assert (found.y, found.x, found.height, found.width, found.pixels) == (20, 12, 8, 10, 80)
    assert (found.labelled, found.believed) == (0, 1)
    assert found.confidence == pytest.approx(0.8)
    assert found.share == pytest.approx(80 / (40 * 35))
    assert found.weight == pytest.approx(64)


def test_a_model_that_agrees_or_doubts_says_nothing():
    truth = square()
    held = ClassConfidence.empty(2).add(maps(truth), truth).thresholds
    assert find_contradiction(maps(truth), truth, held) is None
    wrong = truth.copy()
    wrong[20:28, 12:22] = 0
    assert find_contradiction(maps(truth, 0.6), wrong, held) is None  # below what it is elsewhere
    specks = truth.copy()
    specks[12, 12:15] = 0
    assert find_contradiction(maps(truth), specks, held) is None


def test_what_is_not_labelled_is_not_contradicted():
    truth = square()
    label = np.full_like(truth, 255)
    label[0, 0] = 0
    assert find_contradiction(maps(truth), label, [0.5, 0.5]) is None


def test_a_class_that_was_never_labelled_is_not_believed():
    held = ClassConfidence.empty(3).add(np.full((3, 4, 4), 1 / 3), np.zeros((4, 4), np.uint8))
    assert (held.thresholds > 1).tolist() == [False, True, True]
    with pytest.raises(BadInputError, match="thresholds"):
        find_contradiction(np.zeros((3, 4, 4)), np.zeros((4, 4), np.uint8), [0.5])
