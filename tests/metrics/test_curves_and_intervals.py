import numpy as np
import pytest
from sklearn.metrics import (
    balanced_accuracy_score,
    cohen_kappa_score,
    precision_score,
    recall_score,
    roc_auc_score,
)

from napari_active_seg.errors import BadInputError
from napari_active_seg.metrics import (
    BinnedRoc,
    ConfusionMatrix,
    auc_at_budget,
    auc_at_budget_doubled,
    bootstrap_interval,
    budget_to_reach,
    fit_curve,
    roc_auc,
    score_at_budget,
)
from napari_active_seg.metrics.bootstrap import resample_sums
from napari_active_seg.metrics.learning_curve import Forecast
from napari_active_seg.metrics.stopping import advise_on_stopping


def test_more_pixel_scores_equal_scikit_learn():
    rng = np.random.default_rng(0)
    y, p = rng.integers(0, 4, (30, 30), np.uint8), rng.integers(0, 4, (30, 30), np.uint8)
    matrix = ConfusionMatrix.empty(4).add(p, y)
    flat = (y.ravel(), p.ravel())
    assert matrix.balanced_accuracy == pytest.approx(balanced_accuracy_score(*flat))
    assert matrix.kappa == pytest.approx(cohen_kappa_score(*flat))
    np.testing.assert_allclose(matrix.sensitivity, recall_score(*flat, average=None))
    np.testing.assert_allclose(matrix.precision, precision_score(*flat, average=None))
    others = [recall_score(flat[0] != k, flat[1] != k) for k in range(4)]
    np.testing.assert_allclose(matrix.specificity, others)


def test_scores_of_several_matrices_at_once():
    rng = np.random.default_rng(1)
    counts = rng.integers(0, 50, (6, 3, 3))
    counts[2] = 0
    many = ConfusionMatrix(counts)
    for name in ("mean_dice", "accuracy", "balanced_accuracy", "mean_jaccard", "kappa"):
        one_by_one = [float(getattr(ConfusionMatrix(one), name)) for one in counts]
        np.testing.assert_allclose(getattr(many, name), one_by_one)


def test_auc_equals_scikit_learn_with_ties():
    rng = np.random.default_rng(2)
    scores = np.round(rng.random(500), 1)
    positive = rng.random(500) < scores
    exact = roc_auc_score(positive, scores)
    assert roc_auc(scores, positive) == pytest.approx(exact)
    # scores of tenths: each has a bin of its own, so that the binned form is exact too
    assert BinnedRoc.empty().add(scores, positive).auc == pytest.approx(exact)
    fine = rng.random(2000)
    truth = rng.random(2000) < fine
    halves = BinnedRoc.empty().add(fine[:700], truth[:700]) + BinnedRoc.empty().add(
        fine[700:], truth[700:]
    )
    assert halves.auc == pytest.approx(roc_auc(fine, truth), abs=1e-4)
    assert np.isnan(roc_auc([0.1], [True]))
    assert np.isnan(BinnedRoc.empty().auc)
    with pytest.raises(BadInputError, match="NaN"):
        roc_auc([np.nan, 1.0], [True, False])


def test_area_under_the_budget_curve_is_equation_2():
    budgets, scores = [0.1, 0.2, 0.4, 0.5], [0.5, 0.6, 0.7, 0.72]
    by_hand = 100 * sum(
        (budgets[i + 1] - budgets[i]) * (scores[i] + scores[i + 1]) / 2 for i in range(3)
    )
    assert auc_at_budget(budgets, scores) == pytest.approx(by_hand)
    assert auc_at_budget_doubled(budgets, scores) == pytest.approx(2 * by_hand)
    assert auc_at_budget(budgets, scores, most=0.3) == pytest.approx(
        100 * (0.1 * 0.55 + 0.1 * (0.6 + 0.65) / 2)
    )
    assert score_at_budget(budgets, scores, 0.3) == pytest.approx(0.65)
    assert budget_to_reach(budgets, scores, 0.65) == 0.4
    assert budget_to_reach(budgets, scores, 0.9) is None
    with pytest.raises(BadInputError, match="does not reach"):
        score_at_budget(budgets, scores, 0.6)
    with pytest.raises(BadInputError, match="grow"):
        auc_at_budget([0.2, 0.1], [0.5, 0.5])


def test_all_labels_of_a_paper_give_its_row():
    """Paper 004, BCSS: 65.71 % with all labels is an AUC@5 of 2.63 over a budget of 1 to 5 %."""
    assert auc_at_budget([0.01, 0.05], [0.6571, 0.6571]) == pytest.approx(2.63, abs=0.005)


def test_resampled_sums_are_sums_of_drawn_images():
    images = np.eye(5)
    sums = resample_sums(images, seed=3, draws=200)
    assert (sums.sum(axis=1) == 5).all()
    assert sums.mean() == pytest.approx(1, abs=1e-9)
    assert (sums == 0).mean() == pytest.approx(0.8**5, abs=0.06)


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    rng = np.random.default_rng(4)
    hits = 0
    for _ in range(200):
        wrong = rng.beta(2, 8, 25)  # error rates of images; the mean is 0.2
        pairs = np.stack([wrong * 100, np.full(25, 100.0)], axis=1)
        found = bootstrap_interval(pairs, lambda s: s[:, 0] / s[:, 1], draws=300)
        hits += found.low <= 0.2 <= found.high
    assert 0.86 <= hits / 200 <= 0.99


def test_few_images_carry_no_interval():
    found = bootstrap_interval(np.ones((2, 1)), lambda s: s[:, 0])
    assert found.value == 2
    assert np.isnan(found.low)
    assert found.summary == "2.000"


def curve(x, a=0.9, b=0.3, c=0.7):
    return a - b * (np.asarray(x) / 5) ** -c


def test_a_clean_curve_is_followed():
    x = np.arange(5, 45, 5.0)
    forecast = fit_curve(x, curve(x)).forecast(40, 50)
    assert forecast.low <= curve(50) - curve(40) <= forecast.high
    assert forecast.gain == pytest.approx(curve(50) - curve(40), abs=0.004)
    assert forecast.summary.startswith("about +")
    assert "80 % between" in forecast.summary


def test_bands_hold_the_truth_about_as_often_as_they_say():
    rng = np.random.default_rng(6)
    hits = 0
    for _ in range(100):
        a, b, c = rng.uniform(0.75, 0.97), rng.uniform(0.1, 0.4), rng.uniform(0.3, 1.2)
        x = np.arange(5, 35, 5.0)
        noisy = curve(x, a, b, c) + rng.normal(0, 0.01, len(x))
        forecast = fit_curve(x, noisy).forecast(30, 40)
        hits += forecast.low <= curve(40, a, b, c) - curve(30, a, b, c) <= forecast.high
    assert hits >= 75


def test_a_band_widens_away_from_the_points():
    x = np.arange(5, 45, 5.0)
    fit = fit_curve(x, curve(x) + np.array([1, -1, 1, -1, 1, -1, 1, -1]) * 0.01)
    low, high = fit.quantiles([20, 40, 200], (0.1, 0.9))
    assert (high >= low).all()
    assert (high - low)[2] > (high - low)[0]


def test_three_points_are_too_few():
    with pytest.raises(BadInputError, match="4 points"):
        fit_curve([1, 2, 3], [0.1, 0.2, 0.3])


def test_advice_follows_the_forecast_and_the_models():
    ten = "ten more minutes"
    grows = advise_on_stopping(Forecast(0.02, 0.006, 0.05), [0.9], step=ten)
    assert grows.verdict == "continue"
    assert "kappa 0.900" in grows.summary
    assert advise_on_stopping(Forecast(0.001, 0, 0.003), [], step=ten).verdict == "may stop"
    unsure = Forecast(0.003, 0.0, 0.02)
    assert advise_on_stopping(unsure, [0.99, 0.98, 0.995], step=ten).verdict == "unclear"
    assert advise_on_stopping(unsure, [0.995] * 3, step=ten).verdict == "may stop"
    assert advise_on_stopping(None, [0.995] * 3, step=ten).verdict == "may stop"
    little = advise_on_stopping(None, [], step=ten, missing="3 models more are needed")
    assert little.verdict == "unclear"
    assert "3 models" in little.summary
