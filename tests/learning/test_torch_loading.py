"""What loading and using torch leaves behind in a process that other plugins share."""

import os
import subprocess
import sys

import pytest
import torch

#: Stands for a Triton that must not be loaded after a window was drawn in software.
STUB = '__version__ = "0"\n'

WATCHED_IMPORT = """
import os, sys
assert "torch" not in sys.modules
policies = []
class Watch:
    def find_spec(self, name, path=None, target=None):
        if name == "torch" and not policies:
            policies.append(os.environ.get("OMP_WAIT_POLICY"))
sys.meta_path.insert(0, Watch())
from napari_active_seg.learning import TorchSegmenterFactory
TorchSegmenterFactory("cpu").candidates()
print(policies[0], os.environ.get("OMP_WAIT_POLICY"))
"""

TRAINING = """
import os, sys, threading
from pathlib import Path
import numpy as np
os.cpu_count = lambda: 4
from napari_active_seg.learning import TorchSegmenterFactory
from napari_active_seg.models.inference_options import InferenceOptions
from napari_active_seg.models.segmenter import TrainExample, TrainingData
from napari_active_seg.models.training_options import TrainingOptions

def no_stop():
    pass

factory = TorchSegmenterFactory("cpu", with_window=True)
segmenter = factory.build("unet", classes=("a", "b"), seed=0)
import torch
torch.set_num_threads(7)
image = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
data = TrainingData([TrainExample(image, (image[..., 0] > 127).astype(np.uint8))])
during = []
options = TrainingOptions(steps=2, batch=2, crop=32)
segmenter.train(
    data,
    plan=options,
    on_step=lambda _: during.append(torch.get_num_threads()),
    check_cancelled=no_stop,
)
segmenter.predict(
    image,
    plan=InferenceOptions(),
    check_cancelled=lambda: during.append(torch.get_num_threads()),
)
assert set(during) == {3}, during
elsewhere = []
thread = threading.Thread(target=lambda: elsewhere.append(torch.get_num_threads()))
thread.start()
thread.join()
assert (torch.get_num_threads(), elsewhere) == (7, [7])
segmenter.write_onnx(Path(sys.argv[1]))
missing = object()
assert sys.modules.get("triton", missing) is missing
import triton
assert triton.__version__ == "0"
"""

CONCURRENT = """
import sys, threading
from napari_active_seg.learning import TorchSegmenterFactory
TorchSegmenterFactory("cpu").candidates()
from napari_active_seg.learning.torch_loading import block_triton
with block_triton():
    try:
        import triton
    except ImportError:
        pass
    else:
        raise AssertionError("imported")
    def work():
        import triton
    other = threading.Thread(target=work)
    other.start()
    other.join()
    assert "triton" in sys.modules
"""


def run_python(code, *arguments, **env):
    ran = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.split()


@pytest.fixture
def stub(tmp_path):
    (tmp_path / "stub").mkdir()
    (tmp_path / "stub" / "triton.py").write_text(STUB)
    return os.pathsep.join([str(tmp_path / "stub"), os.environ.get("PYTHONPATH", "")])


@pytest.mark.parametrize(("chosen", "during"), [("", "PASSIVE"), ("ACTIVE", "ACTIVE")])
def test_wait_policy_is_set_only_while_torch_loads(chosen, during, monkeypatch):
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    env = {"OMP_WAIT_POLICY": chosen} if chosen else {}
    assert run_python(WATCHED_IMPORT, **env) == [during, chosen or "None"]


@pytest.mark.skipif(torch.cuda.is_available(), reason="with a GPU torch may load Triton")
def test_training_leaves_triton_and_threads_alone(stub, tmp_path):
    """Training, prediction and ONNX load no Triton; afterwards another plugin can."""
    run_python(TRAINING, str(tmp_path / "model.onnx"), PYTHONPATH=stub)


@pytest.mark.skipif(torch.cuda.is_available(), reason="with a GPU torch may load Triton")
def test_triton_is_blocked_for_one_thread_only(stub):
    run_python(CONCURRENT, PYTHONPATH=stub)
