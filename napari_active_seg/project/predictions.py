"""Cached predictions, one file per image and model; the folder may be deleted at any time."""

from __future__ import annotations

import contextlib
import hashlib
import threading
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.errors import BadInputError, ProjectError
from napari_active_seg.regions import Region
from napari_active_seg.uncertainty import EXTRAS, Moments, Prediction
from napari_active_seg.whole_file import whole_file

__all__ = ["PredictionCache"]

#: Predictions kept in memory: the image on screen, and those just left.
_RECENT = 3
#: Parts of slides kept on the disk for each model, and what marks their names.
_PARTS, _PART = 40, "-part-"


class PredictionCache:
    """Moments on the disk, so that a new measure or a restart needs no new prediction."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._recent: OrderedDict[tuple[str, str], Prediction] = OrderedDict()
        self._turn = threading.Lock()

    def __reduce__(self) -> tuple[type[PredictionCache], tuple[Path]]:
        """Cross to another process as the same folder."""
        return PredictionCache, (self._folder,)

    def beside(self) -> PredictionCache:
        """Return the same folder with a memory of its own, for a reader that looks elsewhere."""
        return PredictionCache(self._folder)

    def forget(self) -> None:
        """Read everything from the disk again: another process may have written."""
        with self._turn:
            self._recent.clear()

    def save(self, prediction: Prediction) -> None:
        """Write the prediction of a whole image, what goes beyond moments in files beside it."""
        self._save(prediction, self._path(prediction.model_id, prediction.region.image_id))

    def save_part(self, prediction: Prediction) -> None:
        """Write the prediction of a part of a slide; of each model the latest few are kept."""
        path = self._part(prediction.model_id, prediction.region)
        self._save(prediction, path)
        kept = sorted(path.parent.glob(f"*{_PART}*.npz"), key=_age)
        for old in kept[:-_PARTS]:
            for file in (old, *(_extra_path(old, name) for name in EXTRAS)):
                _remove(file)

    def _save(self, prediction: Prediction, path: Path) -> None:
        moments, region = prediction.moments, prediction.region
        try:
            for name, values in moments.extras.items():
                with self._begin(_extra_path(path, name)) as begun, begun.open("wb") as file:
                    np.save(file, values)
            with self._begin(path) as begun, begun.open("wb") as file:
                np.savez(
                    file,
                    n=np.int64(moments.n),
                    mean_p=moments.mean_p,
                    mean_plogp=moments.mean_plogp,
                    var_p=moments.var_p,
                    votes=moments.votes,
                    place=np.array([prediction.step, region.y, region.x, *region.shape]),
                )
        except OSError as error:
            raise ProjectError(
                f"the prediction of {region.image_id} could not be kept "
                f"({error.strerror or error}); free disk space: {self._folder} may be deleted"
            ) from error
        with self._turn:
            self._recent.pop((prediction.model_id, path.name), None)

    def _begin(self, path: Path) -> contextlib.AbstractContextManager[Path]:
        return whole_file(path, root=self._folder.parents[1])

    def load(self, model_id: str, image_id: str) -> Prediction | None:
        """Return the prediction of a whole image; None where there is none, or a damaged one."""
        return self._load(model_id, image_id, self._path(model_id, image_id))

    def load_part(self, model_id: str, region: Region) -> Prediction | None:
        """Return the prediction of a part of a slide, as it was asked for; None without one."""
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
            extras = _load_extras(path)
            with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
                moments = Moments(
                    n=int(stored["n"]),
                    mean_p=stored["mean_p"],
                    mean_plogp=stored["mean_plogp"],
                    var_p=stored["var_p"],
                    votes=stored["votes"],
                    extras=extras,
                )
                place = stored["place"].tolist() if "place" in stored else (1, 0, 0, *moments.shape)
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
        return self._folder / model_id / f"{name}.npz"

    def _part(self, model_id: str, region: Region) -> Path:
        whole = self._path(model_id, region.image_id)
        place = "-".join(map(str, (region.y, region.x, *region.shape)))
        return whole.with_name(f"{whole.stem}{_PART}{place}.npz")


def _is_there(path: Path, extra: str | None) -> bool:
    return path.is_file() and (extra is None or _extra_path(path, extra).is_file())


def _age(path: Path) -> float:
    """Return when a file was written; 0 where it is gone."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _extra_path(path: Path, name: str) -> Path:
    return path.with_suffix(f".{name}.npy")


def _load_extras(path: Path) -> dict[str, NDArray[np.float32]]:
    """Return what lies beside a prediction."""
    found = {name: _extra_path(path, name) for name in EXTRAS}
    return {n: np.load(p, allow_pickle=False) for n, p in found.items() if p.is_file()}


def _remove(path: Path) -> None:
    """Take half a file away, where there is one and it can be."""
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
