"""Run a study: data, then starts and references, then arms, side by side; a kill costs one step."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from napari_active_seg._util.atomic_write import atomic_write
from napari_active_seg._util.jsonl import read_lines
from napari_active_seg.errors import ConfigError
from napari_active_seg.studies.datasets import DataSet, get_dataset_reader, read_folders
from napari_active_seg.studies.datasets.cache import PreparedData, prepare
from napari_active_seg.studies.datasets.redundancy import copied_pool
from napari_active_seg.studies.output_folder import check_folder_empty, check_same_settings
from napari_active_seg.studies.parallel import OnProgress, run_parallel
from napari_active_seg.studies.segmentation.arm import ArmRun, ReferenceRun, StartRun
from napari_active_seg.studies.segmentation.record import ALL_LABELS, RoundRecord, read_records
from napari_active_seg.studies.segmentation.run_base import (
    RECORDS,
    TIMINGS,
    OpenSession,
    StudyContext,
    arm_folder,
    reference_folder,
    start_folder,
)
from napari_active_seg.studies.segmentation.settings import (
    PLACES,
    ArmSettings,
    DataSettings,
    StudySettings,
)

__all__ = ["finished_records", "run_study", "seconds_of_work"]

_CONFIG = "study.json"


@dataclass(frozen=True, slots=True)
class _Task:
    """A piece that runs by itself; ``after`` must be done before."""

    kind: str
    arm: str
    seed: int
    key: str
    after: str = ""


def run_study(
    study: StudySettings,
    out: Path,
    open_session: OpenSession,
    *,
    workers: int = 0,
    on_progress: OnProgress,
) -> None:
    """Run what is missing of a study in ``out``.

    ``workers`` processes work side by side, each with the study's threads; 0 works in this one,
    with whatever threads it has. ``open_session`` must be picklable for more.
    """
    _check_same_study(study, out)
    opened = _limited(_opened(study.data), study.data)
    with atomic_write(out / _CONFIG) as begun:
        begun.write_text(study.as_json(), encoding="utf-8")
    data = prepare(
        opened,
        study.data.fit,
        out / "data",
        on_image=on_progress,
    )
    _set_out_shown(study, data, out)
    bench = StudyContext(study, data, out, open_session)
    tasks = _needed(bench, _tasks(study))
    if workers < 1:
        for number, task in enumerate(tasks):
            _run_of(bench, task).run(partial(on_progress, number, len(tasks)))
    else:
        run_parallel(
            tasks,
            partial(_in_a_process, bench),
            workers=workers,
            threads=study.threads,
            on_progress=on_progress,
        )
    on_progress(len(tasks), len(tasks), "done")


def finished_records(study: StudySettings, out: Path) -> tuple[RoundRecord, ...]:
    """Return the records of all rounds that are done: references first, then arm by arm.

    Rounds that were kept are enough: neither data nor projects are looked at.
    """
    found: list[RoundRecord] = []
    for task in _tasks(study):
        if task.kind == "reference":
            found += read_records(_folder_of(study, out, task) / RECORDS)
    for arm in study.arms:
        for seed in study.seeds:
            done = read_records(arm_folder(out, arm, seed) / RECORDS)
            found += done[: study.rounds_of(arm) + 1]
    return tuple(found)


def seconds_of_work(study: StudySettings, out: Path) -> dict[int, float]:
    """Return how long each seed's steps took one after the other, starts and references too.

    A step that was not finished does not count.
    """
    found = dict.fromkeys(study.seeds, 0.0)
    for task in _tasks(study):
        steps = read_lines(_folder_of(study, out, task) / TIMINGS)
        found[task.seed] += sum(float(step["seconds"]) for step in steps)
    return found


def _set_out_shown(study: StudySettings, data: PreparedData, out: Path) -> None:
    """Put copies of the test images that are shown into a folder of their own."""
    for image in data.part("test")[: study.shown]:
        copy = out / "shown" / image.id
        if not copy.exists():
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(data.images_dir("test") / image.id, copy)


# --- what is to be run ---------------------------------------------------------------------------


def _tasks(study: StudySettings) -> tuple[_Task, ...]:
    """Return all pieces, each but once: starts first, and of each seed the longest first.

    An arm that begins last keeps one process at work while the others have nothing left to do.
    """
    found: dict[str, _Task] = {}
    for seed in study.seeds:
        for arm in study.arms:
            start = f"start {study.start_name(arm)} {seed}"
            found.setdefault(start, _Task("start", arm.name, seed, start))
    longest_first = sorted(study.arms, key=lambda arm: not study.learns_from_unlabelled(arm))
    for seed in study.seeds:
        for arm in longest_first:
            start = f"start {study.start_name(arm)} {seed}"
            key = f"arm {arm.name} {seed}"
            found[key] = _Task("arm", arm.name, seed, key, start)
        if study.reference:
            for arm in study.arms:
                key = f"{ALL_LABELS} {study.network_of(arm)} {seed}"
                found.setdefault(key, _Task("reference", arm.name, seed, key))
    return tuple(found.values())


def _needed(bench: StudyContext, tasks: Sequence[_Task]) -> tuple[_Task, ...]:
    """Return the pieces that are not done, with the starts that they go on from."""
    arms = [task for task in tasks if task.kind == "arm" and not _run_of(bench, task).is_done]
    starts = {task.after for task in arms}
    return tuple(
        task
        for task in tasks
        if task in arms
        or task.key in starts
        or (task.kind == "reference" and not _run_of(bench, task).is_done)
    )


def _run_of(bench: StudyContext, task: _Task) -> StartRun | ArmRun | ReferenceRun:
    kinds: dict[str, type[StartRun | ArmRun | ReferenceRun]] = {
        "start": StartRun,
        "arm": ArmRun,
        "reference": ReferenceRun,
    }
    return kinds[task.kind](bench, _arm_of(bench.study, task), task.seed)


def _folder_of(study: StudySettings, out: Path, task: _Task) -> Path:
    arm = _arm_of(study, task)
    if task.kind == "arm":
        return arm_folder(out, arm, task.seed)
    shared = start_folder if task.kind == "start" else reference_folder
    return shared(study, out, arm, task.seed)


def _arm_of(study: StudySettings, task: _Task) -> ArmSettings:
    return next(arm for arm in study.arms if arm.name == task.arm)


def _check_same_study(study: StudySettings, out: Path) -> None:
    """Refuse a folder of something else; a study's own is gone on with, with more arms or seeds."""
    config = out / _CONFIG
    if config.is_file():
        there = StudySettings.read(config)
        free = {"arms", "seeds", "rounds", "title", "levels", "shares", "budgets", "changed"}
        free |= {"paper", "score", "axis", "keep_models", "maps", "pairs"}
        ours, theirs = study.model_dump(exclude=free), there.model_dump(exclude=free)
        for settings in (ours, theirs):  # the same data may lie elsewhere
            settings["data"] = {k: v for k, v in settings["data"].items() if k not in PLACES}
        differ = [key for key, value in ours.items() if value != theirs[key]]
        known = {arm.name: arm for arm in there.arms}
        for arm in study.arms:
            before = known.get(arm.name, arm)
            if arm.model_dump(exclude={"rounds"}) != before.model_dump(exclude={"rounds"}):
                differ.append(f"arm {arm.name}")
        check_same_settings(out, differ)
    else:
        check_folder_empty(out)


def _opened(data: DataSettings) -> DataSet:
    if data.dataset != "folders":
        reader = get_dataset_reader(data.dataset)
        if data.root is None:
            raise ConfigError(f"--data is the folder of {reader.title}, from {reader.source}")
        if not data.root.is_dir():
            raise ConfigError(
                f"no folder is at {data.root}; --data is that of {reader.title}, from "
                f"{reader.source}"
            )
        return reader.open(data.root)
    folders = (data.images, data.masks, data.test_images, data.test_masks)
    if any(folder is None for folder in folders) or not data.classes:
        raise ConfigError("two pairs of folders and the classes are needed")
    return read_folders(
        *folders,  # type: ignore[arg-type]
        classes=data.classes,
        masks_as=data.masks_as,
    )


def _limited(data: DataSet, asked: DataSettings) -> DataSet:
    """Return the data set with no more images than are asked for, and with copies."""
    parts = dict(data.parts)
    for part, most in (("train", asked.most_train), ("test", asked.most_test)):
        samples = parts.get(part, ())
        if 0 < most < len(samples):
            kept = np.sort(np.random.default_rng((asked.seed, 3)).permutation(len(samples))[:most])
            parts[part] = tuple(samples[i] for i in kept)
    if asked.copies:
        parts["train"] = copied_pool(parts["train"], copies=asked.copies, seed=asked.seed)
    return DataSet(data.classes, parts, data.notes)


def _in_a_process(bench: StudyContext, task: _Task) -> None:
    _run_of(bench, task).run(_report_nothing)


def _report_nothing(_words: str) -> None:
    """Say nothing: the process that waits tells which arms are under way."""
