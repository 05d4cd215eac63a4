from dataclasses import replace

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression

from napari_active_seg.calibration import (
    METHODS,
    Calibration,
    PassSample,
    apply_calibration,
    cross_validate_calibration,
    fit_calibration,
)
from napari_active_seg.calibration.scaling import _nll
from napari_active_seg.errors import BadInputError, ConfigError, StoppedError


def sample(seed, *, n=1500, passes=4, classes=3, sharpness=2.0, spread=0.4):
    """Return passes that are ``sharpness`` times surer than the labels bear out."""
    rng = np.random.default_rng(seed)
    logits = 1.2 * rng.normal(size=(classes, n))
    truth = softmax(logits, axis=0)
    labels = (rng.random(n)[None] < truth.cumsum(axis=0)).argmax(axis=0)
    seen = sharpness * (logits + spread * rng.normal(size=(passes, classes, n)))
    return PassSample.of(f"image{seed}", softmax(seen, axis=1), labels)


def loss(one, calibration):
    probs = one.mean_probs(calibration)
    return -np.log(np.take_along_axis(probs, one.labels[None], axis=0)).mean()


@pytest.mark.parametrize("method", METHODS)
def test_slopes_equal_differences(method):
    one = sample(0, n=200)
    start = Calibration(method, (0.8, 1.1, 0.9), (0.1, -0.2, 0.05))
    inputs = one.log_probs.astype(float)
    if method == "platt":
        inputs = inputs - np.log1p(-np.exp(inputs))
    w, b = np.array(start.weights), np.array(start.offsets)
    value, by_weight, by_offset = _nll(inputs, one.labels, w, b, platt=method == "platt")
    assert value == pytest.approx(loss(one, start), rel=1e-5)
    for k in range(3):
        step = np.eye(3)[k] * 1e-5
        for slope, dw, db in ((by_weight, step, 0), (by_offset, 0, step)):
            up = _nll(inputs, one.labels, w + dw, b + db, platt=method == "platt")[0]
            down = _nll(inputs, one.labels, w - dw, b - db, platt=method == "platt")[0]
            assert slope[k] == pytest.approx((up - down) / 2e-5, abs=1e-6)


def test_the_temperature_of_one_pass_is_found():
    one = sample(1, n=20_000, passes=1, spread=0.0, sharpness=2.5)
    found = fit_calibration([one], "temperature")
    assert 1 / found.weights[0] == pytest.approx(2.5, rel=0.05)
    assert found.summary == f"temperature {1 / found.weights[0]:.2f}"
    best = min(
        np.linspace(0.2, 1.0, 81),
        key=lambda w: loss(one, Calibration("temperature", (w,) * 3, (0.0,) * 3)),
    )
    assert found.weights[0] == pytest.approx(best, abs=0.01)


def test_platt_of_two_classes_is_logistic_regression():
    one = sample(2, n=5000, passes=1, classes=2, spread=0.0)
    probs = one.mean_probs()
    regression = LogisticRegression(C=1e9).fit(
        (one.log_probs[0, 1] - one.log_probs[0, 0])[:, None], one.labels
    )
    expected = regression.predict_proba((one.log_probs[0, 1] - one.log_probs[0, 0])[:, None]).T
    # a logistic curve of each class and a shared whole can do no worse than one curve
    ours = loss(one, fit_calibration([one], "platt"))
    theirs = -np.log(np.take_along_axis(expected, one.labels[None], axis=0)).mean()
    assert ours <= theirs + 1e-4
    assert ours < -np.log(np.take_along_axis(probs, one.labels[None], axis=0)).mean()


@pytest.mark.parametrize("method", METHODS)
def test_what_is_fitted_lowers_the_loss_and_sums_to_one(method):
    one = sample(3)
    calibration = fit_calibration([one], method)
    assert loss(one, calibration) < loss(one, None)
    np.testing.assert_allclose(one.mean_probs(calibration).sum(axis=0), 1)


def test_probabilities_of_zero_and_one_stay_finite():
    probs = np.zeros((1, 2, 3))
    probs[0, 0] = 1
    one = PassSample.of("a", probs, np.array([0, 0, 1]))
    for method in METHODS:
        calibration = fit_calibration([one], method)
        assert np.isfinite(apply_calibration(one.log_probs, calibration)).all()
        assert np.isfinite(one.mean_probs(calibration)).all()


def test_trials_judge_on_images_left_out():
    samples = [sample(seed) for seed in range(6)]
    trial = cross_validate_calibration(samples)
    assert trial.n_images == 6
    assert trial.best is not None
    for method, tried in trial.methods.items():
        assert tried.figures["nll"] < trial.plain["nll"]
        assert tried.figures["ece"] < trial.plain["ece"] / 2
        assert tried.calibration == fit_calibration(samples, method)
    by_hand = []
    for fold in range(5):
        left_out = [s for k, s in enumerate(samples) if k % 5 == fold]
        others = [s for k, s in enumerate(samples) if k % 5 != fold]
        calibration = fit_calibration(others, "vector")
        by_hand += [loss(s, calibration) for s in left_out]
    assert trial.methods["vector"].figures["nll"] == pytest.approx(np.mean(by_hand), rel=1e-4)


def test_nothing_is_recommended_where_nothing_is_gained():
    rng = np.random.default_rng(0)
    samples = [
        PassSample.of(f"i{k}", np.full((1, 2, 60), 0.5), rng.permutation([0, 1] * 30))
        for k in range(4)
    ]
    assert cross_validate_calibration(samples).best is None


def test_images_of_one_patient_stay_together():
    samples = [sample(seed, n=300) for seed in range(3)]
    of = {s.image_id: "one patient" for s in samples}
    assert cross_validate_calibration(samples, groups=of) is None
    assert cross_validate_calibration(samples[:1]) is None


def test_facts_come_back():
    calibration = fit_calibration([sample(4, n=200)], "platt")
    assert Calibration.from_facts(calibration.as_facts()) == calibration
    assert calibration.tag.startswith("platt-")
    with pytest.raises(BadInputError, match="do not describe a calibration"):
        Calibration.from_facts({"method": "platt"})
    with pytest.raises(ConfigError, match="temperature"):
        Calibration("temprature", (1.0, 1.0), (0.0, 0.0))
    with pytest.raises(BadInputError, match="no labelled pixel"):
        fit_calibration([], "vector")


def test_many_classes_try_the_temperature_alone():
    """A weight and an offset for each of 254 classes did not end."""
    samples = [sample(seed, n=150, classes=254) for seed in (0, 1)]
    samples = [replace(one, image_id=f"image{k}") for k, one in enumerate(samples)]
    trial = cross_validate_calibration(samples)
    assert set(trial.methods) == {"temperature"}


def test_a_fit_stops_within_a_step():
    steps = []

    def stop_at_the_third():
        steps.append(1)
        if len(steps) == 3:
            raise StoppedError("stopped")

    with pytest.raises(StoppedError):
        fit_calibration([sample(0)], "platt", check_cancelled=stop_at_the_third)
    assert len(steps) == 3
