import numpy as np
import pytest

from napari_active_seg.metrics import ConfusionMatrix, find_collapsed_class


@pytest.mark.parametrize(
    ("counts", "found"),
    [
        ([[0, 300], [0, 700]], 1),  # rows are labels, columns predictions
        ([[2, 298], [0, 700]], 1),
        ([[30, 270], [0, 700]], None),  # 97 % of the pixels
        ([[995, 0], [1, 4]], None),  # a rare class that is found
        ([[995, 0], [5, 0]], 0),  # a rare class that is missed
        ([[1000, 0], [0, 0]], None),  # nothing else is labelled: nobody can tell
        ([[0, 1000], [0, 0]], 1),  # and all of it is predicted as something else
        ([[0, 0], [0, 0]], None),
        ([[0, 0, 200], [0, 0, 300], [0, 1, 499]], 2),
    ],
)
def test_a_collapsed_model_misses_the_other_classes(counts, found):
    assert find_collapsed_class(ConfusionMatrix(np.array(counts))) == found
