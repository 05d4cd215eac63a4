"""The rule for unpainted pixels of finished regions, and regions finished under another rule.

A region that the rule completes has two versions in its history: what the person painted, and the
same with the unpainted pixels filled, with a note that says so. Painted pixels can therefore be
distinguished from filled ones when the rule changes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.acquisition import RegionKind
from napari_active_seg.jobs import CancelToken
from napari_active_seg.jobs.job import ProgressCallback
from napari_active_seg.project import TAKEN_BACK, Project, QueuedRegion, SavedLabel
from napari_active_seg.regions import UNLABELLED, Effort, MaskedRegion, RegionState

__all__ = [
    "NOT_LABELLED",
    "RuleEffect",
    "apply_rule",
    "fill_note",
    "fill_unpainted",
    "find_painted_version",
    "finished_by_people",
    "has_unpainted",
    "preview_rule",
]

#: The setting ``unpainted`` that leaves unpainted pixels of finished regions without a label.
NOT_LABELLED = "unlabelled"
#: How the note of a version begins whose unpainted pixels the rule has filled.
_FILLED = "unpainted pixels count as "
_IGNORED = "unpainted pixels are ignored"
#: Annotators that are files and programs: their unlabelled pixels are meant to be so.
_NO_PEOPLE = frozenset({"masks", "simulated"})


@dataclass(frozen=True, slots=True)
class RuleEffect:
    """What applying the rule changes in the regions that are finished already."""

    changed: tuple[str, ...]  #: ids of the regions that get a new version
    n_full: int  #: regions without an unlabelled pixel that stay as they are


def fill_unpainted(target: NDArray[np.uint8], place: MaskedRegion, index: int) -> NDArray[np.uint8]:
    """Return a target (H, W) of a region with class ``index`` where nothing is painted."""
    return np.where((target == UNLABELLED) & place.mask, np.uint8(index), target)


def fill_note(name: str) -> str:
    """Return the note of a version whose unpainted pixels were filled with a class."""
    return f"{_FILLED}{name}"


def find_painted_version(saves: Sequence[SavedLabel]) -> SavedLabel | None:
    """Return the latest version as a person painted it, before the rule filled the rest.

    ``saves`` are the history of a region, the oldest first. None where nothing was painted.
    """
    places = {saved.uid: place for place, saved in enumerate(saves)}
    at = len(saves) - 1
    while at >= 0:
        note = saves[at].note
        if note.startswith(TAKEN_BACK):
            at = min(at - 1, places.get(note.removeprefix(TAKEN_BACK), -1))
        elif note.startswith(_FILLED):
            at -= 1
        else:
            return saves[at]
    return None


def finished_by_people(project: Project) -> tuple[QueuedRegion, ...]:
    """Return the finished regions that the rule holds for: those that a person was asked about."""
    return tuple(
        queued
        for queued in project.regions.queue()
        if queued.state is RegionState.DONE and queued.kind is not RegionKind.IMPORTED
    )


def has_unpainted(project: Project, image_ids: Collection[str]) -> bool:
    """Return whether a region that a person finished in one of the images has unpainted pixels."""
    return any(
        not version.is_full
        for version in _versions(project, None)
        if version.queued.region.image_id in image_ids
    )


def preview_rule(project: Project, index: int | None) -> RuleEffect:
    """Return what the rule would change; ``index`` is its class, None for ignored pixels."""
    return _effect(_versions(project, index))


def apply_rule(
    project: Project, index: int | None, token: CancelToken, report: ProgressCallback
) -> RuleEffect:
    """Save a new version of each finished region that the rule changes; a stop keeps those so far.

    Each region is saved on its own, whole or not at all, and stays finished.
    """
    note = _IGNORED if index is None else fill_note(project.schema.names[index])

    def save_changed() -> Iterator[_Version]:
        total = len(finished_by_people(project))
        for number, version in enumerate(_versions(project, index)):
            token.check()
            report(number, total, version.queued.region.image_id)
            if version.is_new:
                project.labels.save(
                    version.queued.id,
                    version.target,
                    state=RegionState.DONE,
                    annotator=project.config.annotator,
                    effort=Effort(),
                    note=note,
                    objects=version.objects,
                )
            yield version

    return _effect(save_changed())


@dataclass(frozen=True, slots=True, eq=False)
class _Version:
    """The label of a finished region under a rule."""

    queued: QueuedRegion
    target: NDArray[np.uint8]
    objects: NDArray[np.int32] | None
    is_new: bool
    is_full: bool  # every pixel has a label


def _effect(versions: Iterable[_Version]) -> RuleEffect:
    changed, n_full = [], 0
    for version in versions:
        if version.is_new:
            changed.append(version.queued.id)
        n_full += version.is_full and not version.is_new
    return RuleEffect(tuple(changed), n_full)


def _versions(project: Project, index: int | None) -> Iterator[_Version]:
    for queued in finished_by_people(project):
        version = _version(project, queued, index)
        if version is not None:
            yield version


def _version(project: Project, queued: QueuedRegion, index: int | None) -> _Version | None:
    """Return the label that a region has under a rule; None where the rule is not for it.

    A region in which nothing was painted keeps its class when the pixels are to be ignored: it was
    finished as a whole.
    """
    saves = project.labels.history(queued.id)
    if not saves or saves[-1].annotator in _NO_PEOPLE:
        return None
    latest = project.labels.get_target(saves[-1].uid)
    painted = find_painted_version(saves)
    objects = None if painted is None else project.labels.get_objects(painted.uid)
    if painted is not None:
        target = project.labels.get_target(painted.uid)
    else:
        target = np.full(latest.shape, UNLABELLED, np.uint8)
    if index is not None:
        target = fill_unpainted(target, queued.place, index)
    elif not (target != UNLABELLED).any():
        return None
    return _Version(
        queued,
        target,
        objects,
        is_new=not np.array_equal(target, latest),
        is_full=bool((latest != UNLABELLED)[queued.place.mask].all()),
    )
