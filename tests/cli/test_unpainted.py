"""The rule for unpainted pixels by script: applied to finished regions, and asked for by train."""

import json

import numpy as np
import pytest

from napari_active_seg.api import open_session
from napari_active_seg.regions import UNLABELLED, RegionState


@pytest.fixture
def disks_only(made):
    """A project in which somebody painted disks and nothing else, in three finished regions."""
    session = open_session(made)
    session.maintenance.configure(unpainted="unlabelled")
    session.proposals.propose(count=3, size=32)
    target = np.full((32, 32), UNLABELLED, np.uint8)
    target[8:20, 8:20] = 1
    for queued in session.state.open_regions:
        session.labels.leave(queued.id, RegionState.DONE, target=target)
    session.close()
    return made


def test_one_class_is_refused_with_the_command_that_helps(run, disks_only):
    code, out, err = run("train", disks_only, "--epochs", 2)
    assert code == 1 and out == ""
    assert "all 432 labelled pixels of the 3 finished regions are disk" in err
    assert f"'config {disks_only} --set unpainted=background --apply-unpainted'" in err
    changed = run("config", disks_only, "--set", "unpainted=background", "--apply-unpainted")
    assert changed[0] == 0 and "3 finished regions have a new version" in changed[2]
    code, out, _ = run("train", disks_only, "--epochs", 2, "--json")
    assert code == 0 and json.loads(out)["regions"] == 3


def test_a_changed_rule_says_how_to_apply_it(run, disks_only):
    _, _, err = run("config", disks_only, "--set", "unpainted=background")
    assert "3 finished regions stay as they are; --apply-unpainted changes them too" in err
    assert run("config", disks_only, "--apply-unpainted")[0] == 0
    _, _, err = run("config", disks_only, "--set", "unpainted=background")
    assert "stay as they are" not in err


def test_a_rule_is_chosen_before_it_is_applied(run, made):
    code, _, err = run("config", made, "--apply-unpainted")
    assert code == 2 and "unlabelled, background, disk" in err
