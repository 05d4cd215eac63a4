"""Cached predictions, one file per image and model; the folder may be deleted at any time.

A key names a model and its inference options. Maps of older models are dropped by `prune`, which
also keeps the whole folder below a limit.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import threading
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_active_seg._util.atomic_write import atomic_write
from napari_active_seg.errors import BadInputError, ProjectError
from napari_active_seg.project.packed_moments import (
    compress,
    decompress,
    pack_moments,
    unpack_moments,
)
from napari_active_seg.regions import Region
from napari_active_seg.uncertainty import EXTRAS, Prediction

__all__ = ["PredictionCache"]

#: Predictions kept in memory: the image on screen, and those just left.
_RECENT = 3
#: Parts of slides kept on the disk for each model, and what marks their names.
_PARTS, _PART = 40, "-part-"
_SUFFIX = ".maps"


class PredictionCache:
    """Moments on the disk, so that a new measure or a restart needs no new prediction."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._recent: OrderedDict[tuple[str, str], Prediction] = OrderedDict()
        self._turn = threading.Lock()

    def __reduce__(self) -> tuple[type[PredictionCache], tuple[Path]]:
        """Cross to another process as the same folder."""
        return PredictionCache, (self._folder,)

    def clone(self) -> PredictionCache:
        """Return a cache of the same folder with its own memory, for another reader."""
        return PredictionCache(self._folder)

    def forget(self) -> None:
        """Read everything from the disk again: another process may have written."""
        with self._turn:
            self._recent.clear()

    @property
    def size(self) -> int:
        """Bytes on the disk."""
        return sum(n for _, n, _ in self._files())

    def clear(self) -> int:
        """Remove all of it; return how many bytes that freed."""
        freed = self.size
        shutil.rmtree(self._folder, ignore_errors=True)
        self.forget()
        return freed

    def drop_images(self, image_ids: Iterable[str]) -> None:
        """Remove what any model predicted of images, such as ones whose files were replaced."""
        for image_id in image_ids:
            stem = self._path("", image_id).stem
            for path in self._folder.glob(f"*/{stem}*"):
                _remove(path)
        self.forget()

    def prune(self, *, keeps: Callable[[str], bool], limit: int) -> int:
        """Remove predictions that are no longer needed, and return the freed bytes.

        Parameters
        ----------
        keeps
            Whether the predictions under a key (the model and its inference options) are still
            needed.
        limit
            Bytes that the folder may take; of what is still needed the least recently written
            files go first.
        """
        freed = left = 0
        needed: list[tuple[float, int, Path]] = []
        for path, size, written in self._files():
            current = path.suffix == _SUFFIX and keeps(path.relative_to(self._folder).parts[0])
            if current:
                needed.append((written, size, path))
                left += size
            else:
                _remove(path)
                freed += size
        for _, size, path in sorted(needed):
            if left <= limit:
                break
            _remove(path)
            left -= size
            freed += size
        for folder in self._folder.glob("*"):
            with contextlib.suppress(OSError):
                folder.rmdir()  # only where it is empty
        return freed

    def _files(self) -> list[tuple[Path, int, float]]:
        """Return each file with its size and when it was written; one that is just gone is none."""
        found = []
        for path in self._folder.rglob("*"):
            with contextlib.suppress(OSError):
                if path.is_file():
                    facts = path.stat()
                    found.append((path, facts.st_size, facts.st_mtime))
        return found

    def save(self, prediction: Prediction) -> None:
        """Write the prediction of a whole image, further outputs in files next to it."""
        self._save(prediction, self._path(prediction.model_id, prediction.region.image_id))

    def save_part(self, prediction: Prediction) -> None:
        """Write the prediction of a part of a slide; of each model the latest few are kept."""
        path = self._part(prediction.model_id, prediction.region)
        self._save(prediction, path)
        kept = sorted(path.parent.glob(f"*{_PART}*{_SUFFIX}"), key=_age)
        for old in kept[:-_PARTS]:
            for file in (old, *(_extra_path(old, name) for name in EXTRAS)):
                _remove(file)

    def _save(self, prediction: Prediction, path: Path) -> None:
        moments, region = prediction.moments, prediction.region
        try:
            for name, values in moments.extras.items():
                self._write(_extra_path(path, name), {name: values})
            place = np.array([prediction.step, region.y, region.x, *region.shape])
            self._write(path, {**pack_moments(moments), "place": place})
        except OSError as error:
            raise ProjectError(
                f"the prediction of {region.image_id} could not be kept "
                f"({error.strerror or error}); free disk space: {self._folder} may be deleted"
            ) from error
        with self._turn:
            self._recent.pop((prediction.model_id, path.name), None)

    def _write(self, path: Path, arrays: Mapping[str, NDArray[np.generic]]) -> None:
        """Write compressed arrays; a crash leaves the old file or the new one."""
        layout = {name: (values.dtype.str, values.shape) for name, values in arrays.items()}
        packed = {n: np.frombuffer(compress(values), np.uint8) for n, values in arrays.items()}
        packed["layout"] = np.frombuffer(json.dumps(layout).encode(), np.uint8)
        root = self._folder.parents[1]
        with atomic_write(path, root=root) as begun, begun.open("wb") as file:
            np.savez(file, allow_pickle=False, **packed)

    def load(self, model_id: str, image_id: str) -> Prediction | None:
        """Return the prediction of a whole image; None where there is none, or a damaged one."""
        return self._load(model_id, image_id, self._path(model_id, image_id))

    def load_part(self, model_id: str, region: Region) -> Prediction | None:
        """Return the prediction of a part of a slide, for that region; None without one."""
        return self._load(model_id, region.image_id, self._part(model_id, region))

    def has_part(self, model_id: str, region: Region, *, extra: str | None = None) -> bool:
        """Return whether the prediction of a part of a slide is there, without reading it."""
        return _is_there(self._part(model_id, region), extra)

    def _load(self, model_id: str, image_id: str, path: Path) -> Prediction | None:
        key = (model_id, path.name)
        with self._turn:
            if key in self._recent:
                self._recent.move_to_end(key)
                return self._recent[key]
        try:
            stored = _read(path)
            moments = unpack_moments(stored, _load_extras(path))
            place = stored["place"].tolist()
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, BadInputError):
            return None
        prediction = Prediction(Region(image_id, *place[1:]), moments, model_id, place[0])
        with self._turn:
            self._recent[key] = prediction
            while len(self._recent) > _RECENT:
                self._recent.popitem(last=False)
        return prediction

    def has(self, model_id: str, image_id: str, *, extra: str | None = None) -> bool:
        """Return whether a prediction (with an extra) is there, without reading it."""
        return _is_there(self._path(model_id, image_id), extra)

    def _path(self, model_id: str, image_id: str) -> Path:
        name = hashlib.sha256(image_id.encode()).hexdigest()[:20]
        return self._folder / model_id / f"{name}{_SUFFIX}"

    def _part(self, model_id: str, region: Region) -> Path:
        whole = self._path(model_id, region.image_id)
        place = "-".join(map(str, (region.y, region.x, *region.shape)))
        return whole.with_name(f"{whole.stem}{_PART}{place}{_SUFFIX}")


def _is_there(path: Path, extra: str | None) -> bool:
    return path.is_file() and (extra is None or _extra_path(path, extra).is_file())


def _age(path: Path) -> float:
    """Return when a file was written; 0 where it is gone."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _extra_path(path: Path, name: str) -> Path:
    return path.with_suffix(f".{name}{_SUFFIX}")


def _read(path: Path) -> dict[str, NDArray[np.generic]]:
    """Return the arrays of a file; ValueError, KeyError or OSError for a damaged file."""
    with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
        layout = json.loads(stored["layout"].tobytes())
        return {
            name: decompress(stored[name].tobytes(), dtype, tuple(shape))
            for name, (dtype, shape) in layout.items()
        }


def _load_extras(path: Path) -> dict[str, NDArray[np.generic]]:
    """Read the further outputs of a prediction."""
    found = {name: _extra_path(path, name) for name in EXTRAS}
    return {name: _read(file)[name] for name, file in found.items() if file.is_file()}


def _remove(path: Path) -> None:
    """Take half a file away, where there is one and it can be."""
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
