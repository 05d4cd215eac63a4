"""The results of a study of segmentation, as curves.csv and results.json."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from napari_active_seg.studies.results import write_results
from napari_active_seg.studies.seed_statistics import Spread
from napari_active_seg.studies.segmentation.record import RoundRecord
from napari_active_seg.studies.segmentation.settings import PLACES, StudySettings
from napari_active_seg.studies.segmentation.summary import (
    area_at,
    arms_of,
    costs_to_reach,
    least_common_budget,
    ratios_to_reach,
    reference_of,
    score_at,
)

__all__ = ["summary_of", "write_study_results"]

_FACTS = (
    "arm", "strategy", "measure", "family", "seed", "round", "regions", "images",
    "labelled_pixels", "labelled_share", "validation_share", "clicks", "perimeter", "seconds",
)  # fmt: skip

#: The units of costs, and their names in results.json.
_UNITS = {"pixels": "percent of pixels", "clicks": "clicks", "minutes": "minutes"}


def write_study_results(
    study: StudySettings,
    records: Sequence[RoundRecord],
    out: Path,
    *,
    device: str,
    notes: Sequence[str],
    work: Mapping[int, float],
) -> None:
    """Write curves.csv and results.json into ``out``.

    ``notes`` describe the data, ``work`` has the seconds of each seed.
    """
    names = sorted({name for record in records for name in record.scores})
    lines = [asdict(record) for record in records]
    write_results(
        out,
        device=device,
        columns=(*_FACTS, *names),
        rows=[{**line, **line["scores"]} for line in lines],
        found={
            "notes": list(notes),
            "settings": _without_places(json.loads(study.as_json())),
            "summary": summary_of(study, records),
            "seconds of a seed": {str(seed): round(seconds) for seed, seconds in work.items()},
            "records": lines,
        },
    )


def _without_places(settings: dict[str, Any]) -> dict[str, Any]:
    """Return settings without the folders of whoever ran them."""
    data = {k: v for k, v in settings["data"].items() if k not in PLACES}
    return {**settings, "data": data}


def summary_of(study: StudySettings, records: Sequence[RoundRecord]) -> dict[str, Any]:
    """Return the figures of each arm that a paper's tables have, mean and deviation over seeds."""
    budgets = study.budgets or (least_common_budget(records, axis=study.axis),)
    shares = {f"{share:.0%} of all labels": share for share in study.shares}
    found: dict[str, Any] = {}
    full = {arm: reference_of(records, arm, study.score) for arm in arms_of(records)}
    for arm in arms_of(records):
        levels = {f"{level:g}": level for level in study.levels}
        if full[arm].n:
            levels |= {name: share * full[arm].mean for name, share in shares.items()}
        found[arm] = {"all labels": asdict(full[arm])}
        for axis, unit in _UNITS.items():
            found[arm][f"{unit} to reach"] = {
                name: _spread(costs_to_reach, records, arm, score=study.score, level=lv, axis=axis)
                for name, lv in levels.items()
            }
        for budget in budgets:
            asked: dict[str, Any] = {"score": study.score, "budget": budget, "axis": study.axis}
            for what, measure in (("AUC", area_at), (study.score, score_at)):
                found[arm][f"{what}@{100 * budget:.1f}"] = _spread(measure, records, arm, **asked)
    pairs = [pair for pair in study.pairs if set(pair) <= set(full)]
    for axis in _UNITS:
        found[f"{axis} over {axis}"] = {
            f"{one} / {other}": {
                name: _spread(
                    ratios_to_reach, records, one, other,
                    score=study.score, level=share * full[one].mean, axis=axis,
                )
                for name, share in (shares if full[one].n else {}).items()
            }
            for one, other in pairs
        }  # fmt: skip
    return found


def _spread(
    measure: Callable[..., dict[int, float | None]], *runs: Any, **asked: Any
) -> dict[str, Any]:
    return asdict(Spread.over_seeds(measure(*runs, **asked)))
