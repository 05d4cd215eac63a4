"""Keep what a study found in the documentation: its report, tables and charts, no pictures.

    python scripts/keep_study.py mnist-small/ docs/reproduction/mnist/

Nothing of a data set is copied: the report as Markdown names charts alone.
"""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

FILES = ("report.md", "curves.csv", "results.json")


def keep(study: Path, kept: Path) -> tuple[Path, ...]:
    """Copy the files of a study that was run in ``study``, in place of what was kept before."""
    charts = re.findall(r"\]\((figures/[^)]+)\)", (study / "report.md").read_text("utf-8"))
    if kept.exists():
        shutil.rmtree(kept)
    (kept / "figures").mkdir(parents=True)
    names = (*FILES, *charts)
    for name in names:
        shutil.copyfile(study / name, kept / name)
    return tuple(kept / name for name in names)


if __name__ == "__main__":
    for path in keep(*map(Path, sys.argv[1:3])):
        print(path)
