"""The factories are made, pickled and emptied without torch."""

import pickle
import subprocess
import sys

import pytest

from napari_active_seg.errors import ConfigError, ModelError
from napari_active_seg.learning import TorchImageNetworks, TorchSegmenterFactory

LIGHT = """
import pickle, sys
import napari_active_seg.api
from napari_active_seg.learning.factory import TorchImageNetworks, TorchSegmenterFactory
factory = TorchSegmenterFactory("cpu", with_window=True)
factory.free_memory()
pickle.loads(pickle.dumps([factory, TorchImageNetworks("cpu")]))
assert "torch" not in sys.modules and "qtpy" not in sys.modules
"""

FROZEN = """
import gc
from napari_active_seg.learning.factory import TorchSegmenterFactory
TorchSegmenterFactory("cpu").candidates()
assert gc.get_freeze_count() == 0, "no window waits"
TorchSegmenterFactory("cpu", with_window=True).candidates()
assert gc.get_freeze_count() == 0, "torch was loaded already"
"""

FROZEN_BESIDE_A_WINDOW = """
import gc
from napari_active_seg.learning.factory import TorchSegmenterFactory
TorchSegmenterFactory("cpu", with_window=True).candidates()
assert gc.get_freeze_count() > 100_000
"""


@pytest.mark.parametrize("code", [LIGHT, FROZEN, FROZEN_BESIDE_A_WINDOW])
def test_torch_loads_with_the_first_network(code):
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr


def test_used_factory_crosses_without_what_was_loaded():
    factory = TorchSegmenterFactory("cpu", with_window=True)
    assert factory.candidates() == ("unet", "fast")
    crossed = pickle.loads(pickle.dumps(factory))  # noqa: S301 - our own object
    assert "_device" in vars(factory) and "_device" not in vars(crossed)
    assert crossed.candidates() == factory.candidates()


def test_unknown_devices_are_refused():
    with pytest.raises(ConfigError, match="device"):
        TorchSegmenterFactory("tpu").candidates()
    with pytest.raises(ConfigError, match="device"):
        TorchImageNetworks("tpu").build("vgg16-small", shape=(32, 32, 3), n_classes=2, seed=0)


def test_ensemble_predicts_and_has_no_way_to_train():
    factory = TorchSegmenterFactory("cpu")
    members = [factory.build("fast", classes=("a", "b"), seed=seed) for seed in (0, 1)]
    ensemble = factory.ensemble(members)
    assert ensemble.classes == ("a", "b")
    for name in ("train", "estimate_training_seconds", "save"):
        assert hasattr(members[0], name) and not hasattr(ensemble, name)
    with pytest.raises(ModelError, match="single models"):
        factory.ensemble([ensemble])
