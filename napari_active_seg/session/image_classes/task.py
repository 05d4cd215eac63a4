"""Learn a class per image from answers, and choose the images to ask about next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.acquisition import (
    RegionKind,
    ScoredRegion,
    k_centre_greedy,
    standardise_features,
)
from napari_active_seg.errors import ImageError
from napari_active_seg.images import is_read_whole
from napari_active_seg.metrics import roc_auc
from napari_active_seg.models.image_head import HeadExamples
from napari_active_seg.project import Project, Split
from napari_active_seg.regions import MaskedRegion, Region
from napari_active_seg.session.prediction.embeddings import embed_images
from napari_active_seg.session.proposals.region_reader import RegionReader
from napari_active_seg.session.task_context import TaskContext
from napari_active_seg.uncertainty import Moments, get_measure

__all__ = [
    "NO_DIAGNOSIS",
    "ImageClassChoices",
    "ImageClassResult",
    "SeenImages",
    "choose_images",
    "describe_head",
]

#: The note on every prediction of the second head.
NO_DIAGNOSIS = "research use, not a diagnosis"

#: Number of parts that are left out in turn, or fewer where a class has fewer answers.
_PARTS = 5
_FALLBACK = "entropy"


@dataclass(frozen=True, slots=True, eq=False)
class SeenImages:
    """Features of images by their ids, and their embeddings by the model called ``model``."""

    looks: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    embeddings: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    model: str = ""

    def by(self, model: str) -> SeenImages:
        """Return what remains valid where ``model`` is in use."""
        return self if model == self.model else replace(self, embeddings={}, model=model)


@dataclass(frozen=True, slots=True)
class ImageClassChoices:
    """How many images to choose, and by which measure.

    ``seconds`` is what an answer is expected to take. Images that were ``seen`` before are not
    embedded again.
    """

    count: int
    measure: str
    seconds: float
    seen: SeenImages = field(default_factory=SeenImages)


@dataclass(frozen=True, slots=True)
class _Inputs:
    """The images of the pool, the answers in force, and the images that wait for one.

    ``answers`` holds None where nobody can tell; nobody is asked that again.
    """

    image_ids: tuple[str, ...]
    classes: tuple[str, ...]
    answers: Mapping[str, str | None]
    waiting: frozenset[str]
    seed: int


def _read_inputs(project: Project) -> _Inputs:
    classes = project.config.image_classes
    pool = {ref.id for ref in project.images.all(Split.POOL)}
    missing = set(project.images.missing())
    answers = {
        i: answer.name
        for i, answer in project.image_answers.latest().items()
        if i in pool and (answer.name is None or answer.name in classes)
    }
    waiting = frozenset(asked.region.image_id for asked in project.regions.questions())
    ids = tuple(ref.id for ref in project.images.all(Split.POOL) if ref.id not in missing)
    return _Inputs(ids, classes, answers, waiting, project.config.seed)


@dataclass(frozen=True, slots=True)
class ImageClassResult:
    """The head's probability of each class for each image, the questions, and how it did."""

    said: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    asked: tuple[ScoredRegion, ...] = ()
    summary: str = ""
    seen: SeenImages = field(default_factory=SeenImages)


def describe_head(shares: Mapping[str, float]) -> str:
    """Describe the head's probability of each class of an image."""
    told = ", ".join(f"{name} {share:.2f}" for name, share in shares.items())
    return f"the second head: {told} ({NO_DIAGNOSIS})"


def choose_images(task: TaskContext, choices: ImageClassChoices) -> ImageClassResult:
    """Choose images to ask about: those of which the head is unsure, or far apart at first."""
    inputs = _read_inputs(task.project)
    shapes = {i: task.open_image(i).shape for i in inputs.image_ids}
    seen = _see_images(task, inputs.image_ids, shapes, choices.seen)
    rows = _rows(seen, inputs.image_ids)
    known = [i for i, name in inputs.answers.items() if name is not None and i in rows]
    labels = [inputs.classes.index(str(inputs.answers[i])) for i in known]
    free = [i for i in inputs.image_ids if i not in inputs.answers and i not in inputs.waiting]
    said: Moments | None = None
    words = f"{len(known)} answers: a head needs two of two classes at least"
    if _enough(labels):
        task.report(1, 2, "learning the classes of images")
        examples = HeadExamples(_stack(rows, known), labels, len(inputs.classes))
        head = task.networks.fit_head(examples, inputs.seed, task.check_cancelled)
        said = head(_stack(rows, list(rows)))
        words = _left_out(task, inputs, examples)
    opinions = {} if said is None else _opinions(said, list(rows), inputs.classes)
    if said is None:
        chosen = _far_apart(rows, free, known, count=choices.count, seed=inputs.seed)
    else:
        chosen = _unsure(said, list(rows), free, inputs.classes, choices)
    if choices.count and not chosen:
        words += "; no image is left to ask about"
    asked = tuple(
        ScoredRegion(
            Region.whole(i, shapes[i]), worth, choices.seconds, reason, RegionKind.IMAGE_QUESTION
        )
        for i, worth, reason in chosen
    )
    return ImageClassResult(opinions, asked, words, seen)


def _see_images(
    task: TaskContext,
    image_ids: Sequence[str],
    shapes: Mapping[str, tuple[int, int]],
    seen: SeenImages,
) -> SeenImages:
    """Return features of each image, and its embedding by the model in use.

    Slides are read coarsely, without the model; then no image is embedded.
    """
    model = task.project.models.in_use()
    before = seen.by("" if model is None else model.id)
    looks = dict(before.looks)
    unseen = [i for i in image_ids if i not in looks]
    places = [MaskedRegion(Region.whole(i, shapes[i])) for i in unseen]
    try:
        reader = RegionReader(task)
        looks |= {unseen[k]: look for k, look in reader.features(places).items()}
    except ImageError:  # none of the new ones can be read; the log says why
        if not looks:
            raise
    ids = [i for i in image_ids if i in looks]
    if model is None or not all(is_read_whole(shapes[i]) for i in ids):
        return replace(before, looks=looks, embeddings={})
    unseen = [i for i in ids if i not in before.embeddings]
    more: dict[str, NDArray[np.float32]] = {}
    if unseen:
        more = dict(zip(unseen, embed_images(task, tuple(unseen), model), strict=True))
    return replace(before, looks=looks, embeddings={**before.embeddings, **more})


def _rows(seen: SeenImages, image_ids: Sequence[str]) -> dict[str, NDArray[np.float64]]:
    """Return what is seen of each image as one row, its parts made comparable."""
    ids = [i for i in image_ids if i in seen.looks]
    if not ids:
        return {}
    parts = [standardise_features(_stack(seen.looks, ids))]
    if seen.embeddings:
        parts.append(standardise_features(_stack(seen.embeddings, ids)))
    return dict(zip(ids, np.concatenate(parts, axis=1), strict=True))


def _enough(labels: Sequence[int]) -> bool:
    counts = np.bincount(labels) if labels else np.zeros(1, int)
    return int((counts >= 2).sum()) >= 2


def _stack(rows: Mapping[str, NDArray[np.floating]], ids: Sequence[str]) -> NDArray[np.floating]:
    return np.stack([rows[i] for i in ids])


def _opinions(
    said: Moments, ids: Sequence[str], classes: Sequence[str]
) -> dict[str, dict[str, float]]:
    return {
        i: dict(zip(classes, map(float, said.mean_p[:, k, 0]), strict=True))
        for k, i in enumerate(ids)
    }


def _unsure(
    said: Moments,
    ids: Sequence[str],
    free: Sequence[str],
    classes: Sequence[str],
    choices: ImageClassChoices,
) -> list[tuple[str, float, str]]:
    """Return the free images with the highest measure, how high, and why in words."""
    measure = get_measure(choices.measure)
    if not measure.can_be_computed(said):
        measure = get_measure(_FALLBACK)
    values = dict(zip(ids, measure.compute(said)[:, 0], strict=True))
    best = sorted((i for i in free if i in values), key=lambda i: (-values[i], i))
    opinions = _opinions(said, ids, classes)
    return [
        (i, float(values[i]), f"{measure.title} {values[i]:.2f}; {describe_head(opinions[i])}")
        for i in best[: choices.count]
    ]


def _far_apart(
    rows: Mapping[str, NDArray[np.float64]],
    free: Sequence[str],
    known: Sequence[str],
    *,
    count: int,
    seed: int,
) -> list[tuple[str, float, str]]:
    """Return free images each of which looks least like all before it and all answered."""
    there = [i for i in free if i in rows]
    if not there or count < 1:
        return []
    answered = _stack(rows, known) if known else np.empty((0, len(rows[there[0]])))
    rng = np.random.default_rng(seed)
    taken = k_centre_greedy(_stack(rows, there), answered, count, rng)
    reason = "looks least like the images before it; there are too few answers yet to learn from"
    return [(there[k], 0.0, reason) for k in taken]


def _left_out(task: TaskContext, inputs: _Inputs, examples: HeadExamples) -> str:
    """Describe how often a head was right on answers that it had not learned from."""
    labels = np.array(examples.labels)
    counts = np.bincount(labels, minlength=examples.n_classes)
    parts = min(_PARTS, int(counts[counts > 1].min()))
    part = np.empty(len(labels), int)
    order = np.random.default_rng(inputs.seed).permutation(len(labels))
    for value in range(examples.n_classes):  # each class in every part
        own = order[labels[order] == value]
        part[own] = np.arange(len(own)) % parts
    probs = np.empty((len(labels), examples.n_classes))
    for number in range(parts):
        out = part == number
        kept = HeadExamples(examples.rows[~out], labels[~out].tolist(), examples.n_classes)
        head = task.networks.fit_head(kept, inputs.seed + 1 + number, task.check_cancelled)
        probs[out] = head(examples.rows[out]).mean_p[..., 0].T
    right = probs.argmax(1) == labels
    found = [
        f"{name} {int(right[labels == k].sum())} of {counts[k]}"
        for k, name in enumerate(inputs.classes)
        if counts[k]
    ]
    text = f"right on answers left out in turn: {', '.join(found)}"
    if examples.n_classes == 2:
        text += f"; AUC {roc_auc(probs[:, 1], labels == 1):.2f}"
    return text
