import re

import pytest

from napari_active_seg.errors import BadInputError
from napari_active_seg.experiments import CurvePoint, study_curves, study_report
from napari_active_seg.metrics import auc_at_budget


def points():
    made = []
    for strategy, gain in (("uncertain-regions", 0.05), ("random-regions", 0.02)):
        for seed in (0, 1):
            made += [
                CurvePoint(
                    strategy, "bald", seed, k, 8 * (k + 1), 1000 * (k + 1), 0.05 * (k + 1),
                    {
                        "mean_dice": 0.6 + gain * k + 0.01 * seed, "mean_jaccard": 0.5, "nll": 0.5,
                        "ece": 0.1 / (k + 1), "brier": 0.3, "brier_reliability": 0.01,
                    },
                )
                for k in range(4)
            ]  # fmt: skip
    return made


def test_curves_are_means_over_seeds_with_a_deviation_either_way():
    first, second = study_curves(points(), "mean_dice")
    assert (first.label, second.label) == ("uncertain-regions", "random-regions")
    assert first.x == pytest.approx([5, 10, 15, 20])
    assert first.y == pytest.approx([0.605, 0.655, 0.705, 0.755])
    spread = 0.01 / 2**0.5
    assert first.high - first.y == pytest.approx([spread] * 4)
    (single, *_) = study_curves([p for p in points() if p.seed == 0], "mean_dice")
    assert single.low is None
    assert study_curves(points(), "object_f1") == []


def test_report_holds_everything_in_one_file_without_links(tmp_path):
    report = study_report(points(), "a study")
    page = tmp_path / "report.html"
    report.write(page)
    text = page.read_text()
    assert not re.search(r"(src|href)=.?(http|//|file)", text)
    assert text.count("data:image/png;base64") == 3
    assert "@media print" in text
    shares, scores = [0.05, 0.1, 0.15, 0.2], [0.6, 0.65, 0.7, 0.75]
    assert f"{auc_at_budget(shares, scores):.3f}" in text
    assert f"{2 * auc_at_budget(shares, scores):.3f}" in text
    assert "15.000" in text  # per cent of pixels at which 70 % was reached
    with pytest.raises(BadInputError, match="nothing to report"):
        study_report([], "none")
