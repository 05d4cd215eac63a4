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

__all__ = ["PredictionCache"]

#: Predictions kept in memory: the image on screen, and those just left.
_RECENT = 3


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
        """Write a prediction of a whole image, what goes beyond its moments in files beside it."""
        path = self._path(prediction.model_id, prediction.region.image_id)
        temporary = path.with_suffix(".new")
        moments = prediction.moments
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            for name, values in moments.extras.items():
                with temporary.open("wb") as file:
                    np.save(file, values)
                temporary.replace(_extra_path(path, name))
            with temporary.open("wb") as file:
                np.savez(
                    file,
                    n=np.int64(moments.n),
                    mean_p=moments.mean_p,
                    mean_plogp=moments.mean_plogp,
                    var_p=moments.var_p,
                    votes=moments.votes,
                )
            temporary.replace(path)
        except OSError as error:
            raise ProjectError(
                f"the prediction of {prediction.region.image_id} could not be kept "
                f"({error.strerror or error}); free disk space: {self._folder} may be deleted"
            ) from error
        finally:
            _remove(temporary)
        with self._turn:
            self._recent.pop((prediction.model_id, prediction.region.image_id), None)

    def load(self, model_id: str, image_id: str) -> Prediction | None:
        """Return a cached prediction; None where there is none, or only a damaged one."""
        key, path = (model_id, image_id), self._path(model_id, image_id)
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
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, BadInputError):
            return None
        prediction = Prediction(Region.whole(image_id, moments.shape), moments, model_id)
        with self._turn:
            self._recent[key] = prediction
            while len(self._recent) > _RECENT:
                self._recent.popitem(last=False)
        return prediction

    def has(self, model_id: str, image_id: str, *, extra: str | None = None) -> bool:
        """Return whether a prediction (with an extra) is there, without reading it."""
        path = self._path(model_id, image_id)
        return path.is_file() and (extra is None or _extra_path(path, extra).is_file())

    def _path(self, model_id: str, image_id: str) -> Path:
        name = hashlib.sha256(image_id.encode()).hexdigest()[:20]
        return self._folder / model_id / f"{name}.npz"


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
