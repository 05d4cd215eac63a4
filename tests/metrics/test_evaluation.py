import json

import numpy as np
import pytest

from napari_active_seg.errors import BadInputError
from napari_active_seg.metrics import (
    EvalReport,
    ObjectScores,
    boundary_scores,
    report_from_facts,
    report_to_facts,
)
from napari_active_seg.regions import Region
from napari_active_seg.uncertainty import MomentStream, Prediction


def prediction(image_id, seed, shape=(24, 30)):
    rng = np.random.default_rng(seed)
    stream = MomentStream()
    base = rng.random(shape)
    for _ in range(4):
        p = np.clip(base + 0.1 * rng.normal(size=shape), 0, 1)
        stream.add(np.stack([1 - p, p]))
    return Prediction(Region.whole(image_id, shape), stream.moments(), "m001")


def measured(n=6):
    report, targets = EvalReport.empty(("background", "gland")), []
    for seed in range(n):
        said = prediction(f"i{seed}", seed)
        rng = np.random.default_rng(100 + seed)
        target = (rng.random(said.classes.shape) < said.mean_probs[1]).astype(np.uint8)
        targets.append((said, target))
        report = report.add(said, target)
    return report, targets


def test_names_say_how_figures_are_averaged():
    report, targets = measured(2)
    figures = report.figures()
    pooled = np.concatenate([t.ravel() for _, t in targets])
    found = np.concatenate([p.classes.ravel() for p, _ in targets])
    hit = (pooled == 1) & (found == 1)
    assert figures["sensitivity/gland"] == pytest.approx(hit.sum() / (pooled == 1).sum())
    dice = [2 * ((p.classes == 1) & (t == 1)).sum() / ((p.classes == 1).sum() + (t == 1).sum())
            for p, t in targets]  # fmt: skip
    other = [2 * ((p.classes == 0) & (t == 0)).sum() / ((p.classes == 0).sum() + (t == 0).sum())
             for p, t in targets]  # fmt: skip
    assert figures["image_mean_dice"] == pytest.approx((np.mean(dice) + np.mean(other)) / 2)
    borders = [boundary_scores(p.classes == 1, t == 1) for p, t in targets]
    for name in ("hausdorff", "hausdorff_95", "boundary_f1"):
        expected = np.mean([getattr(b, name) for b in borders])
        assert figures[f"image_{name}/gland"] == pytest.approx(expected)
    parts = [figures[f"brier_{k}"] for k in ("reliability", "uncertainty", "within_bins")]
    assert sum(parts) - figures["brier_resolution"] == pytest.approx(figures["brier"])
    assert figures["brier_per_class"] == pytest.approx(figures["brier"] / 2)
    assert figures["sparsification_oracle/bald"] < figures["sparsification/bald"]


def test_each_image_has_scores_of_its_own():
    report, targets = measured(2)
    by_image = report.figures_by_image()
    assert list(by_image) == ["i0", "i1"]
    for said, target in targets:
        alone = EvalReport.empty(("background", "gland")).add(said, target).figures()
        own = by_image[said.region.image_id]
        for name in ("mean_dice", "accuracy", "balanced_accuracy", "nll", "ece", "dice/gland"):
            assert own[name] == pytest.approx(alone[name])
        assert own["hausdorff/gland"] == pytest.approx(alone["image_hausdorff/gland"])


def test_images_that_are_not_labelled_everywhere_have_no_border_scores():
    said = prediction("a", 0)
    target = said.classes.copy()
    target[0, 0] = 255
    figures = EvalReport.empty(("background", "gland")).add(said, target).figures()
    assert "image_hausdorff/gland" not in figures
    assert figures["mean_dice"] == 1.0


def test_pooled_figures_come_with_their_intervals():
    report, _ = measured()
    figures, intervals = report.figures(), report.intervals()
    assert set(intervals) == {
        "mean_dice", "mean_jaccard", "accuracy", "balanced_accuracy", "nll", "brier", "ece",
    }  # fmt: skip
    for name, interval in intervals.items():
        assert interval.value == pytest.approx(figures[name])
        if name != "ece":  # of images drawn anew the error is larger: it is a sum of sizes
            assert interval.low <= interval.value <= interval.high
        assert interval.low < interval.high
    assert report.interval("image_mean_dice") is None


def test_facts_come_back_through_json():
    report, _ = measured(3)
    back = report_from_facts(json.loads(json.dumps(report_to_facts(report))))
    assert back.image_ids == report.image_ids
    for name in ("mean_dice", "nll", "brier", "ece", "image_mean_jaccard"):
        assert back.figures()[name] == report.figures()[name]
    assert back.intervals() == report.intervals()
    assert back.errors["bald"].error_rate == report.errors["bald"].error_rate
    assert back.errors["bald"].area == pytest.approx(report.errors["bald"].area, abs=2e-3)
    with pytest.raises(BadInputError, match="do not describe an evaluation"):
        report_from_facts({"classes": ["a"]})


def test_objects_on_one_side_alone_are_counted_and_left_out_of_the_distance():
    truth = np.zeros((20, 20), int)
    truth[2:8, 2:8] = 1
    found = np.roll(truth, 2, axis=1)
    scores = ObjectScores().add(found, truth).add(np.zeros_like(truth), truth)
    figures = scores.figures()
    assert figures["object_hausdorff"] == pytest.approx(2)
    assert figures["object_images_one_sided"] == 1
    assert figures["object_f1"] == pytest.approx(2 / 3)
    assert ObjectScores().figures() == {}
