import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_active_seg.acquisition.expected_error_reduction import (
    fit_label_field,
    keep_nearest,
    rbf_similarity,
)
from napari_active_seg.errors import BadInputError


def some_graph(seed, n=12):
    rng = np.random.default_rng(seed)
    rows = rng.normal(0, 1, (n, 3))
    return rbf_similarity(rows, rows, width=1.5), rng


def test_similarity_is_that_of_a_loop():
    rng = np.random.default_rng(0)
    one, other = rng.normal(0, 1, (4, 3)), rng.normal(0, 1, (5, 3))
    found = rbf_similarity(one, other, width=0.7)
    slow = [[np.exp(-(((a - b) / 0.7) ** 2).sum()) for b in other] for a in one]
    assert np.allclose(found, slow)


@given(st.integers(0, 50), st.integers(1, 14))
@settings(max_examples=20)
def test_the_most_alike_of_each_row_are_kept(seed, count):
    graph, _ = some_graph(seed)
    kept = keep_nearest(graph, count)
    for row, own in zip(graph, kept, strict=True):
        assert (own > 0).sum() == min(count, 12)
        assert sorted(own[own > 0]) == sorted(row)[-count:]


@given(st.integers(0, 50))
@settings(max_examples=20)
def test_field_is_harmonic(seed):
    """Each unlabelled value is the weighted mean of its neighbours' values."""
    graph, rng = some_graph(seed)
    labelled = rng.choice(12, 4, replace=False)
    labels = np.array([0, 1, 0, 1])
    field = fit_label_field(graph, labelled, labels)
    rest = np.setdiff1d(np.arange(12), labelled)
    values = np.empty(12)
    values[rest], values[labelled] = field.values, labels
    for k in rest:
        weights = np.delete(graph[k], k)
        assert np.isclose(values[k], weights @ np.delete(values, k) / weights.sum(), atol=1e-4)


@given(st.integers(0, 50))
@settings(max_examples=15)
def test_expected_risk_is_that_of_asking_for_real(seed):
    graph, rng = some_graph(seed)
    labelled = rng.choice(12, 4, replace=False)
    labels = np.array([0, 1, 0, 1])
    field = fit_label_field(graph, labelled, labels)
    rest = np.setdiff1d(np.arange(12), labelled)
    for place, k in enumerate(rest):
        risks = []
        for answer in (0, 1):
            after = fit_label_field(graph, np.append(labelled, k), np.append(labels, answer)).values
            risks.append(np.minimum(after, 1 - after).sum())
        f = field.values[place]
        expected = (1 - f) * risks[0] + f * risks[1]
        assert np.isclose(field.expected_risk[place], expected, atol=1e-4)


def test_what_nothing_connects_is_undecided():
    graph = np.eye(3)
    graph[0, 1] = graph[1, 0] = 0.5
    found = fit_label_field(graph, np.array([0]), np.array([1]))
    assert np.allclose(found.values, [1.0, 0.5], atol=1e-6)


def test_what_is_no_graph_is_refused():
    with pytest.raises(BadInputError, match="square"):
        fit_label_field(np.ones((2, 3)), np.array([0]), np.array([1]))
    with pytest.raises(BadInputError, match="a label"):
        fit_label_field(np.ones((2, 2)), np.empty(0, np.int64), np.empty(0, np.int64))
