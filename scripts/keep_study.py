"""Keep what a study found in the documentation: its report, tables and charts, no pictures.

    python scripts/keep_study.py mnist-small/ docs/reproduction/mnist/

Nothing of a data set is copied: the report as Markdown names charts alone. Rounds are kept once,
in curves.csv.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path

FILES = ("report.md", "curves.csv")
RESULTS, ROUNDS = "results.json", {"rounds", "records"}


def keep(study: Path, kept: Path) -> tuple[Path, ...]:
    """Copy the files of a study that was run in ``study``, in place of what was kept before."""
    charts = re.findall(r"\]\((figures/[^)]+)\)", (study / "report.md").read_text("utf-8"))
    if kept.exists():
        shutil.rmtree(kept)
    (kept / "figures").mkdir(parents=True)
    names = (*FILES, *charts)
    for name in names:
        shutil.copyfile(study / name, kept / name)
    results = json.loads((study / RESULTS).read_text("utf-8"))
    found = {key: value for key, value in results.items() if key not in ROUNDS}
    (kept / RESULTS).write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    return tuple(kept / name for name in (*names, RESULTS))


if __name__ == "__main__":
    for path in keep(*map(Path, sys.argv[1:3])):
        print(path)
