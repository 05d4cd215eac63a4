"""The policy is set before torch loads, in a process of its own, and a person's choice stays."""

import os
import subprocess
import sys

import pytest

PROGRAM = """
import os, sys
assert "torch" not in sys.modules
set_before = []
class Watch:
    def find_spec(self, name, path=None, target=None):
        if name == "torch" and not set_before:
            set_before.append(os.environ.get("OMP_WAIT_POLICY"))
sys.meta_path.insert(0, Watch())
import napari_active_seg.learning
print(set_before[0])
"""


@pytest.mark.parametrize(("chosen", "expected"), [(None, "PASSIVE"), ("ACTIVE", "ACTIVE")])
def test_threads_of_torch_wait_asleep_unless_told_otherwise(chosen, expected):
    env = {key: value for key, value in os.environ.items() if key != "OMP_WAIT_POLICY"}
    if chosen is not None:
        env["OMP_WAIT_POLICY"] = chosen
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=env, capture_output=True, text=True, check=True
    )
    assert ran.stdout.strip() == expected
