import numpy as np
import pytest

from napari_active_seg.project import checkpoint_facts


def test_facts_are_those_of_a_real_file(tmp_path):
    from safetensors.numpy import save_file

    path = tmp_path / "m.safetensors"
    save_file({"a": np.zeros(3, np.float32)}, path, metadata={"losses": "[1.0, 0.5]"})
    assert checkpoint_facts(path) == {"losses": "[1.0, 0.5]"}


@pytest.mark.parametrize("content", [b"", b"rubbish", b"\xff" * 40, b"\x02\0\0\0\0\0\0\0[]"])
def test_anything_else_has_no_facts(tmp_path, content):
    path = tmp_path / "m.safetensors"
    path.write_bytes(content)
    assert checkpoint_facts(path) == {}
    assert checkpoint_facts(tmp_path / "none") == {}
