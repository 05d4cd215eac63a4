"""Run the arms of a study of image classification."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from napari_active_seg.errors import ConfigError
from napari_active_seg.models.image_classifier import ImageNetworks
from napari_active_seg.studies.arm import OnRound
from napari_active_seg.studies.classification.arm import ImageArmRun, finished_arm_rounds
from napari_active_seg.studies.classification.cifar import read_cifar
from napari_active_seg.studies.classification.isic_diagnosis import read_diagnoses
from napari_active_seg.studies.classification.mnist import read_mnist
from napari_active_seg.studies.classification.settings import (
    ClassificationArm,
    ClassificationStudy,
)
from napari_active_seg.studies.classification.splits import ImagePool
from napari_active_seg.studies.runner import OnProgress, StudyTask, run_tasks

__all__ = ["finished_rounds", "open_pool", "run_classification"]

_Task = StudyTask[ClassificationArm]


def open_pool(study: ClassificationStudy) -> ImagePool:
    """Return the images of a study."""
    if study.root is None:
        raise ConfigError("--data is the folder of the data set's files")
    if study.dataset == "isic-diagnosis":
        return read_diagnoses(study.root, side=study.side).of_classes(study.keep)
    if study.dataset.startswith("cifar"):
        found = read_cifar(study.root, classes=int(study.dataset.removeprefix("cifar")))
        return found.of_classes(study.keep).with_test(study.test)
    return read_mnist(study.root).of_classes(study.keep).with_test(study.test)


def run_classification(
    study: ClassificationStudy,
    out: Path,
    networks: ImageNetworks,
    *,
    workers: int = 0,
    on_progress: OnProgress,
) -> None:
    """Run what is missing of a study in ``out``.

    ``workers`` processes run at the same time, each with the study's threads; 0 runs everything in
    this process. With workers, ``networks`` must be picklable.
    """
    study.check_resumable(out)
    pool = open_pool(study)
    study.save(out)
    tasks = [
        StudyTask(arm, seed, f"{arm.name} {seed}")
        for seed in study.seeds
        for arm in study.arms
        if len(finished_arm_rounds(study, out, arm, seed)) <= study.last_round_of(arm)
    ]
    run_tasks(
        tasks,
        # each worker opens the pool itself: its images are too many to be sent with every task
        partial(_run_task, study, None if workers else pool, out, networks),
        workers=workers,
        threads=study.threads,
        on_progress=on_progress,
    )


def finished_rounds(study: ClassificationStudy, out: Path) -> list[dict[str, Any]]:
    """Return the finished rounds, arm by arm."""
    return [
        facts
        for arm in study.arms
        for seed in study.seeds
        for facts in finished_arm_rounds(study, out, arm, seed)
    ]


def _run_task(
    study: ClassificationStudy,
    pool: ImagePool | None,
    out: Path,
    networks: ImageNetworks,
    task: _Task,
    on_round: OnRound,
) -> None:
    pool = open_pool(study) if pool is None else pool
    if study.test_by_class:
        split = task.seed % study.splits if study.splits else task.seed
        pool = pool.with_drawn_test(study.test_by_class, seed=split)
    ImageArmRun(study, pool, out, task.arm, task.seed, networks).run(on_round)
