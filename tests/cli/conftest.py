"""The command line, run in this process."""

import pytest

from napari_active_seg.cli import main


@pytest.fixture
def run(capsys, monkeypatch):
    """Run the command line in this process; returns (code, stdout, stderr)."""
    import warnings

    monkeypatch.setattr(warnings, "filters", list(warnings.filters))

    def call(*arguments):
        with pytest.raises(SystemExit) as ended:
            main([str(a) for a in arguments])
        out, err = capsys.readouterr()
        return ended.value.code or 0, out, err

    return call


@pytest.fixture
def made(run, tmp_path, pool):
    folder = tmp_path / "p"
    code, _, _ = run(
        "init",
        folder,
        "--images",
        pool / "images",
        "--classes",
        "background,disk",
        "--masks",
        pool / "masks",
        "--val-fraction",
        "0.25",
    )
    assert code == 0
    return folder
