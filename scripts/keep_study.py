"""Keep what a study found in the documentation: its report, tables and charts, no pictures.

    python scripts/keep_study.py mnist-small/ docs/reproduction/mnist/

Nothing of a data set is copied: the report as Markdown names charts alone.

With ``--rounds``, for studies of segmentation, the rounds are kept too, and the report is written
from them. They are enough to write it again, or to go on with the study: the folder study/ is what
``reproduce --out`` finds of it, without projects and models. Copy it, and ask for more seeds or
arms with the same command; what is done is not run again. A kept study may be kept anew
(``keep_study.py --rounds KEPT/study KEPT``), when reports are written otherwise than before.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import tempfile
from pathlib import Path

from napari_active_seg.studies.arm import RECORDS
from napari_active_seg.studies.results import RESULTS
from napari_active_seg.studies.segmentation import StudySettings
from napari_active_seg.studies.segmentation.arm import USED_UP
from napari_active_seg.studies.segmentation.embedding_map import MAP
from napari_active_seg.studies.segmentation.run_base import TIMINGS
from napari_active_seg.studies.segmentation.selection_summary import CHOICE
from napari_active_seg.studies.segmentation.settings import PLACES
from napari_active_seg.studies.simulate import write_study

FILES = ("report.md", "curves.csv")
CONFIG, DONE, OF_STARTS = "study.json", (RECORDS, USED_UP, TIMINGS, CHOICE, MAP), (TIMINGS, MAP)
EVERY_ROUND, TOLD = {"rounds", "records"}, ("device", "notes")


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
    _write(kept / RESULTS, {k: v for k, v in results.items() if k not in EVERY_ROUND})
    return tuple(kept / name for name in (*names, RESULTS))


def keep_with_rounds(study: Path, kept: Path) -> tuple[Path, ...]:
    """Keep a study's rounds, and the report that is written from them alone."""
    with tempfile.TemporaryDirectory() as folder:
        rounds, written = Path(folder) / "study", Path(folder) / "written"
        keep_rounds(study, rounds)
        write_study(StudySettings.read(rounds / CONFIG), rounds, into=written)
        found = keep(written, kept)
        shutil.copytree(rounds, kept / "study")
    return (*found, *sorted(path for path in (kept / "study").rglob("*") if path.is_file()))


def keep_rounds(study: Path, kept: Path) -> None:
    """Copy into ``kept`` what a study needs to know of its rounds to be gone on with."""
    for path in sorted(p for name in DONE for p in study.rglob(name)):
        # nothing goes on from a start's rounds alone
        if path.relative_to(study).parts[0] != "starts" or path.name in OF_STARTS:
            (kept / path.relative_to(study)).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, kept / path.relative_to(study))
    results = json.loads((study / RESULTS).read_text("utf-8"))
    _write(kept / RESULTS, {name: results[name] for name in TOLD})
    # what was reported last, which may be of more seeds than ran last
    settings = results.get("settings") or json.loads((study / CONFIG).read_text("utf-8"))
    own = {name: value for name, value in settings["data"].items() if name not in PLACES}
    _write(kept / CONFIG, {**settings, "data": own})


def _write(path: Path, facts: object) -> None:
    path.write_text(json.dumps(facts, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    asked = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    asked.add_argument("study", type=Path, help="what reproduce --out wrote")
    asked.add_argument("kept", type=Path, help="a folder in docs/reproduction")
    asked.add_argument("--rounds", action="store_true", help="keep what going on with it needs too")
    told = asked.parse_args()
    for path in (keep_with_rounds if told.rounds else keep)(told.study, told.kept):
        print(path)
