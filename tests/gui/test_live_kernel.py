"""A notebook drives the window: its cells run, however quickly they follow one another."""

import pytest

OPEN = """
%gui qt
import napari
viewer = napari.Viewer(show=True)
_, dock = viewer.window.add_plugin_dock_widget("napari-active-seg")
"""
LONGEST_S = 60


@pytest.fixture
def ask(tmp_path, monkeypatch, preferences):
    """Send a cell to a kernel of its own and return how it ended; queue.Empty if it never does."""
    manager = pytest.importorskip("jupyter_client.manager")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    kernel, client = manager.start_new_kernel(kernel_name="python3", cwd=str(tmp_path))

    def ask(code):
        asked = client.execute(code)
        while True:
            answer = client.get_shell_msg(timeout=LONGEST_S)  # Empty where none comes
            if answer["parent_header"].get("msg_id") == asked:
                return answer["content"]

    yield ask
    client.stop_channels()
    kernel.shutdown_kernel(now=True)


@pytest.mark.slow
def test_cells_that_follow_at_once_all_run_while_a_window_is_open(ask):
    opened = ask(OPEN)
    assert opened["status"] == "ok", opened
    counts = [ask("dock.isVisible()")["execution_count"] for _ in range(60)]
    assert counts == list(range(counts[0], counts[0] + 60))
    assert ask("dock.release(); viewer.close()")["status"] == "ok"
    assert ask("1 + 1")["status"] == "ok"  # and when it is closed again
