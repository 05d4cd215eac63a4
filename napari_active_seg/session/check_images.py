"""Refuse to work with images whose files were replaced since the project took them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from napari_active_seg.errors import ImageError, Remedy, RemedyId
from napari_active_seg.jobs import CancelToken
from napari_active_seg.jobs.job import ProgressCallback

__all__ = ["CheckImages", "check_unchanged"]

_Result = TypeVar("_Result")
#: Number of images that a message names.
_NAMED = 5


class FindChanged(Protocol):
    """Return those images whose files hold something else than when the project took them."""

    def __call__(
        self, image_ids: Iterable[str], *, on_image: Callable[[int], None] | None = None
    ) -> tuple[str, ...]: ...


@dataclass(frozen=True, slots=True)
class CheckImages(Generic[_Result]):
    """Work that begins with the check of the images that it reads.

    ``find_changed`` is that of the project's images, and crosses to another process.
    """

    find_changed: FindChanged
    image_ids: tuple[str, ...]
    work: Callable[[CancelToken, ProgressCallback], _Result]

    def __call__(self, token: CancelToken, report: ProgressCallback) -> _Result:
        """Check the images, and do the work."""
        check_unchanged(self.find_changed, self.image_ids, token)
        return self.work(token, report)


def check_unchanged(
    find_changed: FindChanged, image_ids: Iterable[str], token: CancelToken
) -> None:
    """Raise ImageError where files of images hold something else than the project took."""
    changed = find_changed(dict.fromkeys(image_ids), on_image=lambda _number: token.check())
    if not changed:
        return
    named = ", ".join(changed[:_NAMED])
    more = f" and {len(changed) - _NAMED} more" if len(changed) > _NAMED else ""
    one = len(changed) == 1
    files = "the file of 1 image was" if one else f"the files of {len(changed)} images were"
    raise ImageError(
        f"{files} replaced since the project took them, so that labels may not fit: "
        f"{named}{more}; put the old files back, or take the new ones "
        "('relink PROJECT --accept-changed')",
        remedies=(Remedy(RemedyId.ACCEPT_IMAGES, "Take the new files"),),
    )
