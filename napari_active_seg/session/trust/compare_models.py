"""How far successive models agree on images that nobody chose them by."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.acquisition import PoolImage, draw_windows
from napari_active_seg.errors import ImageError, NothingToDoError
from napari_active_seg.images import ImageSource, find_tissue, is_read_whole
from napari_active_seg.metrics import ConfusionMatrix
from napari_active_seg.models.inference_options import InferenceOptions
from napari_active_seg.models.segmenter import Segmenter
from napari_active_seg.project import ModelRecord, Project, Split
from napari_active_seg.regions import Region
from napari_active_seg.session.task_context import TaskContext
from napari_active_seg.session.trust.store import AGREED

__all__ = ["Agreement", "compare_models"]

_log = logging.getLogger(__name__)
#: Windows of a slide that are compared, and their side.
_OF_SLIDE, _SIDE = 8, 512
#: Number of images of the pool that models are compared on.
_COMPARED_IMAGES = 12


@dataclass(frozen=True, slots=True)
class Agreement:
    """How two models agree: Cohen's kappa over all pixels, and the share that changed."""

    model_id: str
    earlier: str
    kappa: float
    changed: float


def compare_models(task: TaskContext) -> tuple[Agreement, ...]:
    """Compare each model with the one before it, by a plain pass of each, where none was yet."""
    project = task.project
    models, seed = _models_to_compare(project), project.config.seed
    image_ids, options = (
        _drawn_images(project),
        InferenceOptions(seed=seed, uncertainty_from="single", samples=1),
    )
    before: dict[Region, NDArray[np.uint8]] = {}
    found, earlier = [], ""
    for number, model in enumerate(models):
        task.report(number, len(models), f"comparing {model.id} with the one before")
        now = _predict_windows(task, task.models.load(model), image_ids, options)
        if earlier:
            matrix = ConfusionMatrix.empty(len(project.schema))
            for region in now.keys() & before.keys():
                matrix = matrix.add(now[region], before[region])
            kappa = 1.0 if matrix.accuracy == 1 else float(matrix.kappa)
            found.append(Agreement(model.id, earlier, kappa, float(1 - matrix.accuracy)))
        before, earlier = now, model.id
    return tuple(found)


def _models_to_compare(project: Project) -> Sequence[ModelRecord]:
    """Return the models from the first that was not compared yet, and the one before it."""
    known = {event.subject for event in project.events.named(AGREED)}
    uids = project.classes.current.uids
    models = [m for m in project.models.all() if m.class_uids == uids]
    first = next((k for k, m in enumerate(models) if k > 0 and m.id not in known), None)
    if first is None:
        raise NothingToDoError(
            "every model was compared with the one before it"
            if len(models) > 1
            else "two models of the same classes are needed, to be compared; train again"
        )
    return models[first - 1 :]


def _drawn_images(project: Project) -> Sequence[str]:
    """Return the images of the pool that models are compared on, drawn once."""
    ids = [ref.id for ref in project.images.all(Split.POOL)]
    drawn = np.random.default_rng((project.config.seed, 0x434D)).permutation(len(ids))
    return [ids[k] for k in sorted(drawn[:_COMPARED_IMAGES].tolist())]


def _predict_windows(
    task: TaskContext, segmenter: Segmenter, image_ids: Sequence[str], options: InferenceOptions
) -> dict[Region, NDArray[np.uint8]]:
    found: dict[Region, NDArray[np.uint8]] = {}
    for image_id in image_ids:
        task.check_cancelled()
        try:
            source = task.open_image(image_id)
            for region in _windows(source, image_id, options.seed):
                pixels = source.read(0, region.y, region.x, *region.shape)
                outputs = segmenter.predict(
                    pixels, plan=options, check_cancelled=task.check_cancelled
                )
                found[region] = outputs.moments.mean_p.argmax(axis=0).astype(np.uint8)
        except ImageError as error:
            _log.warning("left out of the comparison: %s", error)
    if not found:
        raise ImageError("none of the pool's images can be read")
    return found


def _windows(source: ImageSource, image_id: str, seed: int) -> tuple[Region, ...]:
    """Return the whole image, or windows drawn over the tissue of a slide."""
    if is_read_whole(source.shape):
        return (Region.whole(image_id, source.shape),)
    image = PoolImage(image_id, source.shape, tissue=find_tissue(source))
    drawn = draw_windows([image], count=_OF_SLIDE, size=_SIDE, rng=np.random.default_rng(seed))
    return tuple(candidate.region for candidate in drawn)
