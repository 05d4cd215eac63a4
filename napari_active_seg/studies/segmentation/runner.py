"""Run a study of segmentation: prepare the data, then run starts, arms and references."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from napari_active_seg._util.jsonl import read_lines
from napari_active_seg.errors import ConfigError
from napari_active_seg.studies.arm import RECORDS, OnRound, arm_folder
from napari_active_seg.studies.datasets import DataSet, get_dataset_reader, read_folders
from napari_active_seg.studies.datasets.cache import PreparedData, prepare
from napari_active_seg.studies.datasets.redundancy import copied_pool
from napari_active_seg.studies.runner import OnProgress, StudyTask, run_tasks
from napari_active_seg.studies.segmentation.arm import ArmRun, ReferenceRun, StartRun
from napari_active_seg.studies.segmentation.record import ALL_LABELS, RoundRecord, read_records
from napari_active_seg.studies.segmentation.run_base import (
    TIMINGS,
    OpenSession,
    StudyContext,
    reference_folder,
    start_folder,
)
from napari_active_seg.studies.segmentation.settings import (
    ArmSettings,
    DataSettings,
    StudySettings,
)

__all__ = ["finished_records", "run_study", "seconds_of_work"]

_Run = StartRun | ArmRun | ReferenceRun
_Task = StudyTask[ArmSettings]
_KINDS: dict[str, type[_Run]] = {"start": StartRun, "arm": ArmRun, "reference": ReferenceRun}


def run_study(
    study: StudySettings,
    out: Path,
    open_session: OpenSession,
    *,
    workers: int = 0,
    on_progress: OnProgress,
) -> None:
    """Run what is missing of a study in ``out``.

    ``workers`` processes run at the same time, each with the study's threads; 0 runs everything in
    this process with the threads that it has. With workers, ``open_session`` must be picklable.
    """
    study.check_resumable(out)
    opened = _limit(_open_data(study.data), study.data)
    study.save(out)
    data = prepare(opened, study.data.fit, out / "data", on_image=on_progress)
    _copy_shown_images(study, data, out)
    context = StudyContext(study, data, out, open_session)
    run_tasks(
        _unfinished(context, _tasks(study)),
        partial(_run_task, context),
        workers=workers,
        threads=study.threads,
        on_progress=on_progress,
    )


def finished_records(study: StudySettings, out: Path) -> tuple[RoundRecord, ...]:
    """Return the records of all finished rounds: references first, then arm by arm.

    Neither data nor projects are needed.
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
    """Return the total duration of each seed's finished steps, starts and references included."""
    found = dict.fromkeys(study.seeds, 0.0)
    for task in _tasks(study):
        steps = read_lines(_folder_of(study, out, task) / TIMINGS)
        found[task.seed] += sum(float(step["seconds"]) for step in steps)
    return found


def _copy_shown_images(study: StudySettings, data: PreparedData, out: Path) -> None:
    """Copy the test images that the report shows into a folder of their own."""
    for image in data.part("test")[: study.shown]:
        copy = out / "shown" / image.id
        if not copy.exists():
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(data.images_dir("test") / image.id, copy)


# --- tasks ---------------------------------------------------------------------------------------


def _tasks(study: StudySettings) -> tuple[_Task, ...]:
    """Return each task once: starts first, and of each seed the longest first.

    A long arm that starts last keeps one process busy while the others are idle.
    """
    found: dict[str, _Task] = {}
    for seed in study.seeds:
        for arm in study.arms:
            start = f"start {study.start_name(arm)} {seed}"
            found.setdefault(start, StudyTask(arm, seed, start, kind="start"))
    longest_first = sorted(study.arms, key=lambda arm: not study.learns_from_unlabelled(arm))
    for seed in study.seeds:
        for arm in longest_first:
            start = f"start {study.start_name(arm)} {seed}"
            key = f"arm {arm.name} {seed}"
            found[key] = StudyTask(arm, seed, key, after=start)
        if study.reference:
            for arm in study.arms:
                key = f"{ALL_LABELS} {study.network_of(arm)} {seed}"
                found.setdefault(key, StudyTask(arm, seed, key, kind="reference"))
    return tuple(found.values())


def _unfinished(context: StudyContext, tasks: Sequence[_Task]) -> list[_Task]:
    """Return the tasks that are not done, with the starts that they continue from."""
    ends = [t for t in tasks if t.kind != "start" and not _run_of(context, t).is_done]
    keys = {key for task in ends for key in (task.key, task.after)}
    return [task for task in tasks if task.key in keys]


def _run_of(context: StudyContext, task: _Task) -> _Run:
    return _KINDS[task.kind](context, task.arm, task.seed)


def _run_task(context: StudyContext, task: _Task, on_round: OnRound) -> None:
    _run_of(context, task).run(on_round)


def _folder_of(study: StudySettings, out: Path, task: _Task) -> Path:
    if task.kind == "arm":
        return arm_folder(out, task.arm, task.seed)
    shared = start_folder if task.kind == "start" else reference_folder
    return shared(study, out, task.arm, task.seed)


def _open_data(data: DataSettings) -> DataSet:
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
        raise ConfigError(
            "images, masks, test images, test masks and classes must be given together"
        )
    return read_folders(
        *folders,  # type: ignore[arg-type]
        classes=data.classes,
        masks_as=data.masks_as,
    )


def _limit(data: DataSet, asked: DataSettings) -> DataSet:
    """Return the data set with at most the requested number of images, and with copies."""
    parts = dict(data.parts)
    for part, most in (("train", asked.most_train), ("test", asked.most_test)):
        samples = parts.get(part, ())
        if 0 < most < len(samples):
            kept = np.sort(np.random.default_rng((asked.seed, 3)).permutation(len(samples))[:most])
            parts[part] = tuple(samples[i] for i in kept)
    if asked.copies:
        parts["train"] = copied_pool(parts["train"], copies=asked.copies, seed=asked.seed)
    return DataSet(data.classes, parts, data.notes)
