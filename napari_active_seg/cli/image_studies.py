"""Studies of whole images from the command line: run, and tell what came out."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

import yaml

from napari_active_seg.cli.console import echo, print_result, showing_progress
from napari_active_seg.cli.options import describe_settings, pair, side_by_side
from napari_active_seg.errors import ConfigError
from napari_active_seg.studies.classification import (
    ClassificationStudy,
    finished_rounds,
    run_classification,
)
from napari_active_seg.studies.classification.report import write_classification
from napari_active_seg.studies.classification.rounds import at_the_end, first_to_reach
from napari_active_seg.studies.results import read_device
from napari_active_seg.studies.seed_statistics import Spread

__all__ = ["reproduce_images", "with_changes"]


def with_changes(
    study: ClassificationStudy, *, arms: Sequence[str], settings: Sequence[str] | None
) -> ClassificationStudy:
    """Return the study with some of its arms, and with settings given as NAME=VALUE."""
    chosen = [arm for arm in study.arms if any(fnmatchcase(arm.name, word) for word in arms)]
    if not chosen:
        names = ", ".join(arm.name for arm in study.arms)
        raise ConfigError(f"no arm is called {', '.join(arms)}; there are {names}")
    changes = dict(pair(text, "--set") for text in settings or ())
    return ClassificationStudy.parse(
        **{
            **study.model_dump(),
            "arms": chosen,
            **{name: yaml.safe_load(value) for name, value in changes.items()},
            "changed": (*study.changed, *describe_settings(changes)),
        }
    )


def reproduce_images(
    study: ClassificationStudy,
    out: Path,
    *,
    only_report: bool,
    workers: int,
    device: str,
    as_json: bool,
) -> None:
    """Run what is missing, write tables and page, and print how many images each arm needed."""
    from napari_active_seg.learning import TorchImageNetworks

    for line in study.changed:
        echo(line)
    if only_report:
        words = read_device(out)
    else:
        beside, words = side_by_side(workers, device, study.threads)
        with showing_progress("Studying") as tell:
            run_classification(
                study,
                out,
                TorchImageNetworks(device),
                workers=beside,
                on_progress=tell,
            )
    rounds = finished_rounds(study, out)
    if not rounds:
        raise ConfigError(f"nothing is done in {out} yet")
    write_classification(study, rounds, out, device=words)
    lines, facts = [], {}
    for arm in dict.fromkeys(own["arm"] for own in rounds):
        reached = {
            f"{level:.0%}": Spread.over(list(first_to_reach(rounds, arm, level).values()))
            for level in study.levels
        }
        facts[arm] = {name: spread.mean for name, spread in reached.items()}
        told = [_images_to(spread, name) for name, spread in reached.items()]
        told.append(f"{at_the_end(rounds, arm, 'error').times(100).describe(1)} % error at the end")
        if study.positive is not None:
            told.append(f"AUC {at_the_end(rounds, arm, 'auc').describe(3)}")
        lines.append(f"{arm}: {', '.join(told)}")
    lines.append(f"the page is in {out}")
    print_result({"out": str(out), "images": facts}, as_json=as_json, text="\n".join(lines))


def _images_to(spread: Spread, level: str) -> str:
    """Return how many images an error took, or that no run came down to it."""
    if not spread.n:
        return f"{level} error not reached"
    return f"{spread.describe(0)} images to {level} error"
