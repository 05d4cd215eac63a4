import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from napari_active_seg.errors import ConfigError
from napari_active_seg.learning.training import distributed

HERE = Path(__file__).parent
#: The package that these tests belong to, which need not be the installed one, and their helpers.
SOURCES = (HERE.parents[2], HERE.parents[1] / "support")
ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": os.pathsep.join(map(str, SOURCES)),
    "OMP_NUM_THREADS": "1",
    "TORCH_DISTRIBUTED_DEBUG": "OFF",
}


def run(tmp_path, name, *arguments, processes=1):
    out = tmp_path / name
    launcher = [sys.executable]
    if processes > 1:
        launcher += ["-m", "torch.distributed.run", "--standalone"]
        launcher += ["--nproc-per-node", str(processes)]
    command = [*launcher, str(HERE / "distributed_training.py"), str(out), *arguments]
    done = subprocess.run(
        command, env=ENVIRONMENT, capture_output=True, text=True, timeout=300, check=False
    )
    return done, [json.loads(p.read_text()) for p in sorted(tmp_path.glob(f"{name}.*"))]


@pytest.mark.parametrize(
    "arguments",
    [("unet:group", "cross-entropy+dice"), ("smp:FPN/resnet18", "focal", "frozen")],
    ids=["group norm", "frozen norm"],
)
def test_two_processes_have_the_loss_curve_of_one(tmp_path, arguments):
    if arguments[0].startswith("smp"):
        pytest.importorskip("segmentation_models_pytorch")
    done, (alone,) = run(tmp_path, "alone", *arguments)
    assert done.returncode == 0, done.stderr
    done, shared = run(tmp_path, "shared", *arguments, processes=2)
    assert done.returncode == 0, done.stderr
    assert len(shared) == 2
    assert 3 < len(alone["losses"]) <= 6  # held-out labels may end it, in all processes at once
    for found in shared:
        np.testing.assert_allclose(found["losses"], alone["losses"], rtol=2e-4)
        np.testing.assert_allclose(found["held_out"], alone["held_out"], rtol=2e-3)


def test_batch_norm_of_its_own_in_each_process_is_refused(tmp_path):
    done, shared = run(tmp_path, "refused", "unet", "cross-entropy", processes=2)
    assert done.returncode != 0
    assert not shared
    assert "batch norm sees the batch of one process alone" in done.stderr


def test_rows_are_shared_out_whole_and_partners_stay_together():
    for n_rows, count in ((8, 2), (12, 3), (8, 1)):
        shares = [distributed.rows_of_rank(n_rows, r, count) for r in range(count)]
        assert sorted(i for share in shares for i in share) == list(range(n_rows))
        for share in shares:
            assert len(share) == n_rows // count
            assert all(n_rows - 1 - i in share for i in share)


def test_batch_that_cannot_be_shared_is_refused(monkeypatch):
    monkeypatch.setattr(distributed, "n_ranks", lambda: 2)
    with pytest.raises(ConfigError, match="a batch of 6 cannot be shared by 2 processes"):
        distributed.local_rows(6)
