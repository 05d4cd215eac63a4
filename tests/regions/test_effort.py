from itertools import permutations

import pytest

from napari_active_seg.regions import LABEL_STARTS, Effort, find_strongest_start


@pytest.mark.parametrize("order", list(permutations(LABEL_STARTS)))
def test_what_was_seen_once_stays_seen(order):
    total = sum((Effort(active_s=1.0, begun=begun) for begun in order), Effort())
    assert total == Effort(active_s=3.0, begun="prediction")
    assert find_strongest_start(["", "blind", "empty"]) == "empty"
    assert find_strongest_start([""]) == ""


def test_beginnings_are_ranked_by_influence_and_not_by_the_alphabet(monkeypatch):
    ranked = {"zero": "least", "all": "most"}
    monkeypatch.setattr("napari_active_seg.regions.label.LABEL_STARTS", ranked)
    assert (Effort(begun="zero") + Effort(begun="all")).begun == "all"
