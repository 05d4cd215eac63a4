"""What a training is asked, and what it answers."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from napari_active_seg.images import ImageSource
from napari_active_seg.metrics import Comparison, EvalReport
from napari_active_seg.models.inference_options import InferenceOptions
from napari_active_seg.models.segmenter import Segmenter, SegmenterFactory, TrainOutcome
from napari_active_seg.models.training_options import TrainingOptions
from napari_active_seg.project import ModelRecord
from napari_active_seg.regions import Region, RegionLabel
from napari_active_seg.session.training.control_regions import ControlScore, ControlSquare
from napari_active_seg.session.trust.collapse import Collapse
from napari_active_seg.session.trust.evaluate import LabelledImage

__all__ = ["CurrentModel", "InitialWeights", "TrainRequest", "TrainResponse", "hash_labels"]


def hash_labels(labels: Sequence[RegionLabel]) -> str:
    """Return a hash of every labelled pixel and its place."""
    digest = hashlib.sha256()
    for label in labels:
        digest.update(repr(label.region).encode())
        digest.update(label.target.tobytes())
    return digest.hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class InitialWeights:
    """What a training begins with: a model of this project, or weights from before it."""

    weights: str
    model_id: str | None = None
    preset: str | None = None
    load: Callable[[], Segmenter] | None = None

    def model_for(self, preset: str) -> Callable[[], Segmenter] | None:
        """Return what loads the model to go on from, where it is of the same network."""
        return self.load if self.preset == preset else None


@dataclass(frozen=True, slots=True)
class CurrentModel:
    """The model in use, that a new one has to keep up with."""

    model_id: str
    image_scores: Mapping[str, float]
    validation_hash: str
    load: Callable[[], Segmenter]
    plan: InferenceOptions  #: how it is asked where it is in use


@dataclass(frozen=True, slots=True)
class TrainRequest:
    """What to learn from, how, and where the checkpoint belongs.

    ``spare`` are ids of regions that may be held out. ``kept_in`` is where an unfinished training
    is written down; None keeps nothing. One that ``helps`` is a further process of a training that
    another one saves. ``unmeasured`` is why no model of the project can be measured.
    """

    labels: tuple[RegionLabel, ...]
    spare: frozenset[Region]
    validation: tuple[LabelledImage, ...]
    unlabelled: tuple[str, ...]
    open_source: Callable[[str], ImageSource]
    factory: SegmenterFactory
    preset: str
    classes: tuple[str, ...]
    class_uids: tuple[int, ...]
    plan: TrainingOptions
    start: InitialWeights
    sampling: InferenceOptions
    round: int
    model_id: str
    path: Path
    restarts: int = 1
    seconds: float = 60.0
    standing: CurrentModel | None = None
    accept_worse: bool = False
    kept_in: Path | None = None
    notes: tuple[str, ...] = ()
    unmeasured: str = ""
    helps: bool = False
    controls: tuple[ControlSquare, ...] = ()

    @property
    def image_ids(self) -> tuple[str, ...]:
        """Images that are read: labelled ones, and all of the pool where they are learned from."""
        labelled = [label.region.image_id for label in self.labels]
        learned = self.unlabelled if self.plan.unlabelled != "off" else ()
        return (*labelled, *(image.id for image in self.validation), *learned)

    @property
    def data_hash(self) -> str:
        """A hash of every labelled pixel and its place."""
        return hash_labels(self.labels)


@dataclass(frozen=True, slots=True, eq=False)
class TrainResponse:
    """The trained model, on the disk already, and how it did."""

    model: ModelRecord
    origin: str
    n_regions: int
    outcome: TrainOutcome
    report: EvalReport | None
    comparison: Comparison | None = None
    compared_with: str | None = None
    notes: tuple[str, ...] = field(default_factory=tuple)
    controls: tuple[ControlScore, ...] = ()
    collapse: Collapse | None = None  #: where the model predicts one class nearly everywhere
    unmeasured: str = ""  #: why no model of the project can be measured

    @property
    def losses(self) -> tuple[float, ...]:
        """The loss at every step."""
        return self.outcome.losses

    @property
    def seconds(self) -> float:
        """How long the network learned."""
        return self.outcome.seconds

    @property
    def verdict(self) -> str:
        """How the model compares with the one before, and which is in use.

        Of the first model it is empty, or says why no model can be measured.
        """
        return self.verdict_when_using(self.model.id if self.model.in_use else self.compared_with)

    def verdict_when_using(
        self, model_id: str | None, *, choice: str = "{model} can be chosen in the table"
    ) -> str:
        """Return the verdict as it reads while ``model_id`` is in use, whoever chose that.

        ``choice`` is how to use the other model of the two, with ``{model}`` for its id.
        """
        new, old = self.model.id, self.compared_with
        if old is None:
            return f"{self._unmeasured}." if self.unmeasured else ""
        if self.comparison is None:
            return f"{self._why_not_compared}. {model_id} is in use"
        if model_id == old:
            return f"{self.comparison.summary}. {old} stays in use; {choice.format(model=new)}"
        if model_id == new:
            return f"{self.comparison.summary}. {new} is in use; {choice.format(model=old)}"
        return f"{self.comparison.summary}. {model_id} is in use"

    def other_model(self, model_id: str | None) -> str | None:
        """Return which of the two compared models is not in use while ``model_id`` is."""
        if self.compared_with is None or model_id is None:
            return None
        return self.compared_with if model_id == self.model.id else self.model.id

    @property
    def _why_not_compared(self) -> str:
        models = f"{self.model.id} could not be compared with {self.compared_with}"
        if self.unmeasured:
            return f"{self._unmeasured}. {models}"
        if self.report is None:
            return f"No labelled validation image: {models}"
        return f"No validation image that both models were measured on: {models}"

    @property
    def _unmeasured(self) -> str:
        return self.unmeasured[:1].upper() + self.unmeasured[1:]
