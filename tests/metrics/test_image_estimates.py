"""Scores averaged over images, with intervals over images or patients, against slow loops."""

import math

import numpy as np
import pytest
from scipy.stats import norm, t

from napari_active_seg.calibration import ProbabilityScores, ReliabilityBins
from napari_active_seg.metrics import (
    ConfusionMatrix,
    EvalReport,
    ImageScores,
    estimate_over_images,
    scores_by_group,
)
from napari_active_seg.regions import Region
from napari_active_seg.uncertainty import MomentStream, Prediction


def report_of(n_images, seed=0, classes=("background", "gland")):
    """Return a report on random maps, and the maps by image."""
    rng = np.random.default_rng(seed)
    report, maps = EvalReport.empty(classes), {}
    for k in range(n_images):
        target = (rng.random((12, 15)) < 0.4).astype(np.uint8)
        p = np.clip(target * 0.5 + rng.random(target.shape) * rng.uniform(0.3, 0.8), 0, 1)
        target[rng.random(target.shape) < 0.2] = 255
        stream = MomentStream()
        stream.add(np.stack([1 - p, p, *[np.zeros_like(p)] * (len(classes) - 2)]))
        name = f"image-{n_images - k}"  # not in the order of names
        prediction = Prediction(Region.whole(name, target.shape), stream.moments(), "m")
        report = report.add(prediction, target)
        maps[name] = (prediction.classes, prediction.mean_probs, target)
    return report, maps


def dice_of(predicted, target, k):
    known = target != 255
    a, b = (predicted == k) & known, (target == k) & known
    return 2 * (a & b).sum() / (a.sum() + b.sum()) if (a | b).any() else math.nan


def resampled(values, draws=1000):
    """Return the limits of the mean of (group, sum, n) over groups drawn with replacement."""
    times = np.random.default_rng(0).multinomial(
        len(values), np.full(len(values), 1 / len(values)), draws
    )
    means = [
        sum(k * s for k, (s, _) in zip(row, values, strict=True))
        / sum(k * n for k, (_, n) in zip(row, values, strict=True))
        for row in times
    ]
    n = len(values)
    tail = norm.sf(math.sqrt(n / (n - 1)) * t.ppf(0.975, n - 1))
    return np.quantile(means, (tail, 1 - tail))


def test_means_over_images_and_their_limits_are_those_of_a_slow_loop():
    report, maps = report_of(7)
    found = estimate_over_images(report)
    for name, k in (("image_dice/background", 0), ("image_dice/gland", 1)):
        alone = {i: dice_of(p, y, k) for i, (p, _, y) in maps.items()}
        assert found[name].value == pytest.approx(np.mean(list(alone.values())))
        limits = resampled([(alone[i], 1) for i in sorted(alone)])
        assert (found[name].low, found[name].high) == pytest.approx(tuple(limits))
    both = {i: np.mean([dice_of(p, y, k) for k in (0, 1)]) for i, (p, _, y) in maps.items()}
    assert found["image_mean_dice"].value == pytest.approx(np.mean(list(both.values())))
    assert scores_by_group(report) == pytest.approx([both[i] for i in sorted(both)])
    sums = [((p == y)[y != 255].sum(), (y != 255).sum()) for p, _, y in map(maps.get, sorted(maps))]
    assert found["accuracy"].value == pytest.approx(
        sum(s for s, _ in sums) / sum(n for _, n in sums)
    )
    assert (found["accuracy"].low, found["accuracy"].high) == pytest.approx(tuple(resampled(sums)))
    assert found["ece"].value == pytest.approx(report.figures()["ece"])
    assert found["ece"].low < found["ece"].high


def test_images_of_a_patient_are_resampled_together():
    report, maps = report_of(8)
    groups = {name: f"patient-{k % 4}" for k, name in enumerate(maps)}
    found = estimate_over_images(report, groups=groups)["image_mean_dice"]
    sums = {}
    for name, (p, _, y) in maps.items():
        total, n = sums.get(groups[name], (0.0, 0))
        sums[groups[name]] = (total + np.mean([dice_of(p, y, k) for k in (0, 1)]), n + 1)
    assert (found.low, found.high) == pytest.approx(
        tuple(resampled([sums[g] for g in sorted(sums)]))
    )
    alone = estimate_over_images(report)["image_mean_dice"]
    assert found.value == pytest.approx(alone.value)
    assert (found.low, found.high) != pytest.approx((alone.low, alone.high))
    assert len(scores_by_group(report, groups)) == 4
    three = estimate_over_images(report, groups={n: f"{k % 3}" for k, n in enumerate(maps)})
    assert math.isnan(three["image_mean_dice"].low)  # three patients say little about others


def test_classes_that_appear_nowhere_are_left_out():
    report, _ = report_of(3, classes=("background", "gland", "never"))
    assert "image_dice/never" not in estimate_over_images(report)
    assert estimate_over_images(EvalReport.empty(("a", "b"))) == {}


@pytest.mark.parametrize(("n", "least"), [(5, 0.87), (8, 0.90), (20, 0.92)])
def test_intervals_hold_about_as_often_as_they_say(n, least):
    """Images whose Dice scatters about 0.63 by 0.15: plain percentiles hold 0.83 for five."""
    rng, times = np.random.default_rng(0), 300
    hits = 0
    for _ in range(times):
        images = []
        for k, dice in enumerate(rng.beta(5.9, 3.47, n)):
            right = round(1000 * dice)
            confusion = ConfusionMatrix(np.array([[right, 1000 - right], [1000 - right, right]]))
            bins = ReliabilityBins.empty()
            images.append(ImageScores(f"{k:02}", confusion, ProbabilityScores(), bins))
        found = estimate_over_images(EvalReport(("a", "b"), tuple(images)))["image_mean_dice"]
        hits += found.low <= 5.9 / 9.37 <= found.high
    assert least <= hits / times <= 0.98
