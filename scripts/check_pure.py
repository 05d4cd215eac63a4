"""Run the pure packages' tests, and make sure that this environment has neither torch nor Qt."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

PURE_PACKAGES = ("regions", "uncertainty", "acquisition", "calibration", "metrics", "paint_ops")
FOREIGN = ("torch", "qtpy", "PyQt6", "PySide6", "napari", "psygnal", "pydantic")


def main() -> int:
    present = [name for name in FOREIGN if importlib.util.find_spec(name) is not None]
    if present:
        sys.stderr.write(f"this environment must not have {', '.join(present)}\n")
        return 1
    tests = Path(__file__).parents[1] / "tests"
    packages = [str(tests / package) for package in PURE_PACKAGES]
    # Options of plugins that only the full environment has are unknown here.
    return pytest.main(["-q", "-W", "ignore::pytest.PytestConfigWarning", *packages])


if __name__ == "__main__":
    sys.exit(main())
