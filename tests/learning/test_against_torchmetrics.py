"""torchmetrics serves as an oracle here, and nowhere at run time."""

import numpy as np
import pytest
import torch
from torchmetrics.functional.classification import (
    multiclass_calibration_error,
    multiclass_f1_score,
    multiclass_jaccard_index,
)

from napari_active_seg.calibration import ReliabilityBins
from napari_active_seg.metrics import ConfusionMatrix


def test_our_scores_equal_torchmetrics_on_a_small_example():
    rng = np.random.default_rng(0)
    probs = rng.dirichlet((1, 1, 1), (20, 30)).transpose(2, 0, 1)
    target = rng.integers(0, 3, (20, 30)).astype(np.uint8)
    p, y = (
        torch.tensor(probs).permute(1, 2, 0).reshape(-1, 3),
        torch.tensor(target).flatten().long(),
    )
    ours = ReliabilityBins.empty(15).add(probs, target).expected_calibration_error
    theirs = multiclass_calibration_error(p, y, 3, n_bins=15, norm="l1").item()
    assert ours == pytest.approx(theirs, abs=1e-6)
    matrix = ConfusionMatrix.empty(3).add(probs.argmax(axis=0).astype(np.uint8), target)
    f1 = multiclass_f1_score(p, y, 3, average="none")
    jaccard = multiclass_jaccard_index(p, y, 3, average="none")
    np.testing.assert_allclose(matrix.dice, f1, rtol=1e-6)
    np.testing.assert_allclose(matrix.jaccard, jaccard, rtol=1e-6)
