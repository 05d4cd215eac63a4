"""Look for images that are on both sides: among what models learn from and what measures them."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from napari_active_seg.errors import ImageError
from napari_active_seg.images import (
    NearCopy,
    PerceptualHash,
    find_near_copies,
    perceptual_hash,
    read_coarse_view,
)
from napari_active_seg.project import Split
from napari_active_seg.session.task_context import TaskContext

__all__ = ["LeakReport", "find_leaks"]

_log = logging.getLogger(__name__)
#: Images are compared at about this size.
_LONGEST = 256


@dataclass(frozen=True, slots=True)
class LeakReport:
    """Pairs of a pool image with one that was set aside, and how many images were looked at."""

    pairs: tuple[NearCopy, ...]
    n_images: int

    @property
    def summary(self) -> str:
        """What was found, in a sentence."""
        if not self.pairs:
            return f"no near copies between pool and set-aside images ({self.n_images} looked at)"
        first = self.pairs[0]
        more = f", and {len(self.pairs) - 1} more pairs" if len(self.pairs) > 1 else ""
        return (
            f"{first.first} and {first.second} look the same{more}: what is learned from one is "
            "measured on the other, so that scores are too good"
        )


def find_leaks(task: TaskContext) -> LeakReport:
    """Return near copies, flips and turns between the pool and the images set aside."""
    images, cache = task.project.images, task.project.looks
    pool = images.all(Split.POOL)
    aside = (*images.all(Split.VALIDATION), *images.all(Split.TEST))
    known = _known(cache)
    hashes: dict[str, PerceptualHash] = {}
    refs = (*pool, *aside)
    for number, ref in enumerate(refs):
        task.check_cancelled()
        if ref.fingerprint in known:
            hashes[ref.id] = known[ref.fingerprint]
            continue
        task.report(number, len(refs), f"comparing {ref.id}")
        try:
            hashes[ref.id] = perceptual_hash(
                read_coarse_view(task.open_image(ref.id), longest=_LONGEST)
            )
        except ImageError as error:
            _log.warning("not compared: %s", error)
    _keep(cache, {r.fingerprint: hashes[r.id] for r in refs if r.id in hashes})
    pairs = find_near_copies(hashes, [r.id for r in pool], [r.id for r in aside])
    return LeakReport(pairs, len(hashes))


def _known(path: Path) -> dict[str, PerceptualHash]:
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        return {key: PerceptualHash(tuple(int(b) for b in bits)) for key, bits in stored.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}  # a cache: it is made again


def _keep(path: Path, hashes: Mapping[str, PerceptualHash]) -> None:
    try:
        path.parent.mkdir(exist_ok=True)  # never the project folder itself
        text = json.dumps({key: list(found.bits) for key, found in hashes.items()})
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        _log.warning("what images look like was not kept: %s", error)
