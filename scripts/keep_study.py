"""Keep what a study found in the documentation: its report, tables and charts, no pictures.

    python scripts/keep_study.py mnist-small/ docs/reproduction/mnist/

Nothing of a data set is copied: the report as Markdown names charts alone. Rounds are kept once,
in curves.csv.

With ``--rounds`` a study can be gone on with from what was kept: the folder study/ is what
``reproduce --out`` finds of it, without projects and models. Copy it, and ask for more seeds or
arms with the same command; what is done is not run again.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
from pathlib import Path

from napari_active_seg.experiments.study.arm import USED_UP
from napari_active_seg.experiments.study.chosen import ALIKE
from napari_active_seg.experiments.study.project_run import RECORDS, TIMINGS

FILES = ("report.md", "curves.csv")
CONFIG, DONE = "study.json", (RECORDS, USED_UP, TIMINGS, ALIKE)
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


def keep_rounds(study: Path, kept: Path) -> tuple[Path, ...]:
    """Copy into ``kept`` what a study needs to know of its rounds to be gone on with."""
    found = []
    for path in sorted(p for name in DONE for p in study.rglob(name)):
        # nothing goes on from a start's rounds alone
        if path.relative_to(study).parts[0] != "starts" or path.name == TIMINGS:
            found.append(kept / path.relative_to(study))
            found[-1].parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, found[-1])
    settings = json.loads((study / RESULTS).read_text("utf-8"))["settings"]  # without folders
    (kept / CONFIG).write_text(json.dumps(settings, indent=1) + "\n", "utf-8")
    return (*found, kept / CONFIG)


if __name__ == "__main__":
    asked = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    asked.add_argument("study", type=Path, help="what reproduce --out wrote")
    asked.add_argument("kept", type=Path, help="a folder in docs/reproduction")
    asked.add_argument("--rounds", action="store_true", help="keep what going on with it needs too")
    told = asked.parse_args()
    names = keep(told.study, told.kept)
    if told.rounds:
        names += keep_rounds(told.study, told.kept / "study")
    for path in names:
        print(path)
