import numpy as np
import pytest

from napari_active_seg.acquisition import CostExample, CostView, fit_learned_cost
from napari_active_seg.errors import StoppedError
from napari_active_seg.learning.cost_network import fit_cost_network


def go_on():
    pass


def fitted(known):
    return fit_cost_network(known, seed=0, check_cancelled=go_on)


def textured(seed):
    """A region whose stripes, which no count of the prediction shows, decide what it takes."""
    draws = np.random.default_rng(seed)
    fine = draws.random() < 0.5
    shape = tuple(int(side) for side in draws.integers(40, 70, 2))
    image = np.full((*shape, 3), 200, np.uint8)
    if fine:
        image[:, :, 0] = 40
    image += draws.integers(0, 20, image.shape).astype(np.uint8)
    view = CostView(image, np.zeros(shape, np.uint8), np.ones(shape, bool))
    return CostExample(view, float((40 if fine else 10) * np.exp(draws.normal(0, 0.1))))


def test_network_learns_from_pixels_what_no_count_shows():
    known, unseen = [textured(k) for k in range(40)], [textured(k) for k in range(100, 120)]
    predict, left_out = fit_cost_network(known, seed=0, check_cancelled=go_on)
    took = np.array([e.spent for e in unseen])
    found = predict([e.view for e in unseen])
    flat = np.abs(np.mean([e.spent for e in known]) - took).mean()
    assert np.abs(found - took).mean() < 0.4 * flat
    told = np.abs(left_out - [e.spent for e in known]).mean()
    assert told < 0.6 * flat
    learned = fit_learned_cost(known, lambda views: np.ones(len(views)), network=fitted)
    assert learned.how == "network" and learned.error < 0.6 * flat


def test_same_seed_learns_the_same_and_few_or_equal_examples_do_no_harm():
    known = [textured(k) for k in range(4)]
    one, two = (fit_cost_network(known, seed=3, check_cancelled=go_on) for _ in range(2))
    views = [textured(9).view]
    assert one[0](views) == pytest.approx(two[0](views))
    assert np.isfinite(one[0](views)).all()
    equal = [CostExample(e.view, 12.0) for e in known]
    predict, _ = fit_cost_network(equal, seed=0, check_cancelled=go_on)
    assert predict(views) == pytest.approx(12.0, rel=0.3)


def test_learning_can_be_stopped():
    def stop():
        raise StoppedError("stopped")

    with pytest.raises(StoppedError):
        fit_cost_network([textured(k) for k in range(6)], seed=0, check_cancelled=stop)
