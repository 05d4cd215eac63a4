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
    found: dict[str, Any] = {}
    for arm in arms_of(records):
        full = reference_of(records, arm, study.score)
        levels = {f"{level:g}": level for level in study.levels}
        if full.n:
            levels |= {f"{share:.0%} of all labels": share * full.mean for share in study.shares}
        found[arm] = {
            "all labels": asdict(full),
            **{
                f"{unit} to reach": {
                    name: _to_reach(records, arm, study.score, level, axis)
                    for name, level in levels.items()
                }
                for axis, unit in _UNITS.items()
            },
            **{
                f"{what}@{100 * budget:.1f}": asdict(
                    _at(of, records, arm, score=study.score, budget=budget, axis=study.axis)
                )
                for budget in budgets
                for what, of in (("AUC", area_at), (study.score, score_at))
            },
        }
    pairs = [pair for pair in study.pairs if set(pair) <= set(arms_of(records))]
    for axis in _UNITS:
        found[f"{axis} over {axis}"] = {
            f"{one} / {other}": _ratios(study, records, one, other, axis) for one, other in pairs
        }
    return found


def _at(
    of: Callable[..., dict[int, float | None]],
    records: Sequence[RoundRecord],
    arm: str,
    **asked: Any,
) -> Spread:
    return Spread.over_seeds(of(records, arm, **asked))


def _to_reach(
    records: Sequence[RoundRecord], arm: str, score: str, level: float, axis: str
) -> dict[str, Any]:
    costs = costs_to_reach(records, arm, score=score, level=level, axis=axis)
    return asdict(Spread.over_seeds(costs))


def _ratios(
    study: StudySettings, records: Sequence[RoundRecord], one: str, other: str, axis: str
) -> dict[str, Any]:
    """Return what a share of the full-label score costs one arm over what it costs another."""
    full = reference_of(records, one, study.score)
    found = {}
    for share in study.shares if full.n else ():
        ratios = ratios_to_reach(
            records, one, other, score=study.score, level=share * full.mean, axis=axis
        )
        found[f"{share:.0%} of all labels"] = asdict(Spread.over_seeds(ratios))
    return found
