"""Run a study of whole images: its arms side by side; a kill costs one round."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from napari_active_seg._util.atomic_write import atomic_write
from napari_active_seg.errors import ConfigError
from napari_active_seg.models.image_classifier import ImageNetworks
from napari_active_seg.studies.classification.arm import ImageArm, done_rounds
from napari_active_seg.studies.classification.cifar import read_cifar
from napari_active_seg.studies.classification.isic_diagnosis import read_diagnoses
from napari_active_seg.studies.classification.mnist import read_mnist
from napari_active_seg.studies.classification.settings import ClassificationStudy
from napari_active_seg.studies.classification.splits import ImagePool
from napari_active_seg.studies.output_folder import check_folder_empty, check_same_settings
from napari_active_seg.studies.parallel import OnProgress, run_parallel

__all__ = ["finished_rounds", "open_pool", "run_classification"]

_CONFIG = "study.json"
#: Settings that change nothing of what is done already.
_FREE = {"arms", "seeds", "rounds", "title", "levels", "changed", "paper", "root", "threads"}


@dataclass(frozen=True, slots=True)
class _Task:
    arm: str
    seed: int
    after: str = ""

    @property
    def key(self) -> str:
        """What it is called."""
        return f"{self.arm} {self.seed}"


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

    ``workers`` processes work side by side, each with the study's threads; 0 works in this one.
    ``networks`` must be picklable for more.
    """
    _check_same_study(study, out)
    pool = open_pool(study)
    with atomic_write(out / _CONFIG) as begun:
        begun.write_text(study.model_dump_json(indent=1) + "\n", encoding="utf-8")
    tasks = [
        _Task(arm.name, seed)
        for seed in study.seeds
        for arm in study.arms
        if not _arm_of(study, pool, out, networks, _Task(arm.name, seed)).is_done
    ]
    if workers < 1:
        for number, task in enumerate(tasks):
            on_progress(number, len(tasks), task.key)
            _arm_of(study, pool, out, networks, task).run()
    else:
        run_parallel(
            tasks,
            partial(_in_a_process, study, out, networks),
            workers=workers,
            threads=study.threads,
            on_progress=on_progress,
        )
    on_progress(len(tasks), len(tasks), "done")


def finished_rounds(study: ClassificationStudy, out: Path) -> list[dict[str, Any]]:
    """Return the rounds that are done, arm by arm."""
    return [
        facts
        for arm in study.arms
        for seed in study.seeds
        for facts in done_rounds(study, out, arm.name, seed)
    ]


def _in_a_process(
    study: ClassificationStudy, out: Path, networks: ImageNetworks, task: _Task
) -> None:
    _arm_of(study, open_pool(study), out, networks, task).run()


def _arm_of(
    study: ClassificationStudy, pool: ImagePool, out: Path, networks: ImageNetworks, task: _Task
) -> ImageArm:
    arm = next(arm for arm in study.arms if arm.name == task.arm)
    if study.test_by_class:
        split = task.seed % study.splits if study.splits else task.seed
        pool = pool.with_drawn_test(study.test_by_class, seed=split)
    return ImageArm(study, pool, out, arm, task.seed, networks)


def _check_same_study(study: ClassificationStudy, out: Path) -> None:
    config = out / _CONFIG
    if config.is_file():
        there = ClassificationStudy.model_validate_json(config.read_text(encoding="utf-8"))
        ours, theirs = (s.model_dump(exclude=_FREE) for s in (study, there))
        known = {arm.name: arm for arm in there.arms}
        differ = [key for key, value in ours.items() if value != theirs[key]]
        differ += [a.name for a in study.arms if known.get(a.name, a) != a]
        check_same_settings(out, differ)
    else:
        check_folder_empty(out)
