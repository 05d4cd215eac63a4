"""A project that a study creates, trains and measures, with its records in the same folder."""

from __future__ import annotations

import json
import shutil
from abc import abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from napari_active_seg._util.jsonl import add_line, read_lines_by_key
from napari_active_seg.acquisition import Strategy
from napari_active_seg.metrics import EvalReport
from napari_active_seg.project import Split, checkpoint_facts
from napari_active_seg.session import Session
from napari_active_seg.session.create_project import ImageSettings, create_project
from napari_active_seg.session.model_access.model_records import store_evaluation
from napari_active_seg.studies.arm import RECORDS, BaseRun, arm_folder
from napari_active_seg.studies.datasets.cache import PreparedData, write_table
from napari_active_seg.studies.segmentation.embedding_map import save_embeddings
from napari_active_seg.studies.segmentation.label_cost import LabelCost, count_label_cost
from napari_active_seg.studies.segmentation.record import RoundRecord, read_records
from napari_active_seg.studies.segmentation.settings import ArmSettings, StudySettings
from napari_active_seg.studies.segmentation.splits import at_every, drawn_validation
from napari_active_seg.studies.simulated_annotator import annotate_with

__all__ = [
    "RECORDS",
    "SELECTED",
    "TIMINGS",
    "OpenSession",
    "ProjectRun",
    "StudyContext",
    "arm_folder",
    "reference_folder",
    "start_folder",
]

OpenSession = Callable[[Path], Session]
SELECTED = "selected.jsonl"
TIMINGS = "timings.jsonl"


@dataclass(frozen=True, slots=True)
class StudyContext:
    """What all arms of a study share."""

    study: StudySettings
    data: PreparedData
    out: Path
    open_session: OpenSession


def start_folder(study: StudySettings, out: Path, arm: ArmSettings, seed: int) -> Path:
    """Return the folder of the start that an arm shares with others of its seed."""
    return out / "starts" / study.start_name(arm) / f"seed-{seed}"


def reference_folder(study: StudySettings, out: Path, arm: ArmSettings, seed: int) -> Path:
    """Return the folder of the full-label reference, which arms of the same network share."""
    return out / "references" / study.network_of(arm) / f"seed-{seed}"


class ProjectRun(BaseRun[Session]):
    """Rounds in a project, which lies in the folder of the records."""

    def __init__(
        self, context: StudyContext, folder: Path, arm: ArmSettings, seed: int, *, label: str
    ) -> None:
        super().__init__(folder, label, seed)
        self.context, self.study, self.arm = context, context.study, arm
        self.truth = context.data.truth("train")
        self.annotate = annotate_with(context.study.annotator, n_classes=len(context.data.classes))

    @property
    def settings(self) -> dict[str, Any]:
        """The settings of the project."""
        return self.study.settings_of(self.arm)

    @property
    def records(self) -> tuple[RoundRecord, ...]:
        """The finished rounds."""
        return read_records(self.folder / RECORDS)

    @property
    def project(self) -> Path:
        """The folder of the project."""
        return self.folder / "project"

    @contextmanager
    def open(self) -> Iterator[Session]:
        """Open the project, created if need be; afterwards keep only the models that are wanted."""
        self.make_project()
        session = self.context.open_session(self.project)
        try:
            yield session
        finally:
            session.close()
        if not self.study.keep_models:
            self.forget_models()

    def run_round(self, state: Session, number: int) -> Mapping[str, Any] | None:
        """Label, train and measure; None if nothing was left to label."""
        if not self.label_round(state, number):
            return None
        self.train(state, number)
        return asdict(self.measure(state, number, self.label))

    @abstractmethod
    def label_round(self, session: Session, number: int) -> bool:
        """Label what a round may cost; False if nothing was left to label."""

    @property
    def _n_models(self) -> int:
        """Number of models of a round: the members of an ensemble, else one."""
        asked = self.settings.get("uncertainty_from")
        return int(self.settings.get("ensemble_size", 3)) if asked == "ensemble" else 1

    # --- the project -----------------------------------------------------------------------------

    def make_project(self) -> None:
        """Create the project and label its validation, in one step or not at all."""
        if self.project.exists():
            return
        building = self.folder / "building"  # as deep as the project: paths are relative to it
        shutil.rmtree(building, ignore_errors=True)
        self.folder.mkdir(parents=True, exist_ok=True)
        study, data = self.study, self.context.data
        images = data.part("train")
        start = study.start_of(self.arm)
        validation = drawn_validation(
            images, study.validation, seed=self.seed, balanced=start.balanced
        )
        kept = at_every([i for i in images if i.id not in validation], self.arm.keeps)
        table = self.folder / "images.csv"
        write_table(data, table, validation=validation, kept=kept)
        create_project(
            building,
            images_dir=data.images_dir("train"),
            classes=data.classes,
            settings=ImageSettings(val_fraction=0.0, seed=self.seed, table=table, sort_files=False),
        )
        session = self.context.open_session(building)
        try:
            session.maintenance.configure(
                name=study.name,
                annotator="simulated",
                region_size=study.size,
                **self.settings,
            )
            if validation:
                session.labels.answer_from(self.truth, image_ids=validation)
        finally:
            session.close()
        building.rename(self.project)

    def pool(self, session: Session) -> list[str]:
        """Return the ids of the images that may be labelled."""
        return [ref.id for ref in session.project.images.all(Split.POOL)]

    def label_images(self, session: Session, image_ids: Collection[str]) -> None:
        """Label whole images, as far as they are unlabelled."""
        labelled = {
            label.region.image_id for label in session.project.labels.done(self.pool(session))
        }
        wanted = [image_id for image_id in image_ids if image_id not in labelled]
        if wanted:
            session.labels.answer_from(self.truth, image_ids=wanted, annotate=self.annotate)

    # --- train and measure -----------------------------------------------------------------------

    def train(self, session: Session, number: int) -> None:
        """Train the missing models of a round."""
        began = perf_counter()
        wanted = (number + 1) * self._n_models
        while (there := len(session.state.models)) < wanted:
            session.train(
                seed=1000 * self.seed + there % self._n_models,
                accept_worse=True,
                allow_one_class=True,  # a strategy may choose such regions, and is measured so
            )
        self.record_time(number, "train", began)

    def measure(self, session: Session, number: int, label: str) -> RoundRecord:
        """Return the record of a round: the costs so far, and the scores of the current model."""
        began = perf_counter()
        report = session.evaluate(self.context.data.labelled_images("test"))
        model = session.state.model
        if model is not None:  # the project shows these figures too
            store_evaluation(session.project, model.id, report, is_test=True)
        self._show(session, number)
        self.record_time(number, "measure", began)
        tally = self.tally(session)
        facts = {} if model is None else checkpoint_facts(session.project.models.path(model.id))
        selected = read_lines_by_key(self.folder / SELECTED, "round").get(number, {})
        strategy = self.strategy(session)
        return RoundRecord(
            arm=label,
            seed=self.seed,
            round=number,
            regions=tally.regions,
            images=tally.images,
            labelled_pixels=tally.pixels,
            labelled_share=tally.share,
            scores=report.figures(),
            strategy="" if strategy is None else strategy.name,
            measure="" if strategy is None else strategy.measure,
            family=self.study.network_of(self.arm),
            validation_share=tally.validation_share,
            clicks=tally.clicks,
            perimeter=tally.perimeter,
            seconds=round(tally.seconds, 3),
            reliability=_reliability(report),
            losses=tuple(json.loads(facts.get("losses", "[]"))),
            bound=float(selected.get("bound", 0.0)),
            selected=tuple(selected.get("selected", ())),
            rest=tuple(selected.get("rest", ())),
            notes=tuple(json.loads(facts.get("notes", "[]"))),
        )

    def _show(self, session: Session, number: int) -> None:
        """Save predictions of some test images for the report."""
        if self.study.shown:
            shown = self.context.out / "shown"
            session.predictions.predict_folder(shown, self.folder / "shown" / f"round-{number}")

    def keep_embeddings(self, session: Session) -> None:
        """Save the current model's embedding of each image of the pool."""
        pool = self.pool(session)
        save_embeddings(self.folder, np.array(pool), session.predictions.embed(pool))

    def tally(self, session: Session) -> LabelCost:
        """Return what the labels have cost so far."""
        known = {image.id: image.known for image in self.context.data.part("train")}
        return count_label_cost(session, known)

    def strategy(self, session: Session) -> Strategy | None:
        """Return the strategy; None if nothing is chosen."""
        return None

    def record_time(self, number: int, what: str, began: float) -> None:
        """Record how long a step took."""
        facts = {"round": number, "what": what, "seconds": round(perf_counter() - began, 2)}
        add_line(self.folder / TIMINGS, facts)

    def forget_models(self) -> None:
        """Remove cached predictions and all checkpoints but the newest."""
        shutil.rmtree(self.project / "cache", ignore_errors=True)
        for path in sorted((self.project / "models").glob("*.safetensors"))[:-1]:
            path.unlink()


def _reliability(report: EvalReport) -> tuple[tuple[float, float, int], ...]:
    bins = report.bins
    return tuple(
        (round(float(confidence / n), 6), round(float(hits / n), 6), int(n))
        for n, confidence, hits in zip(bins.counts, bins.confidence_sums, bins.hits, strict=True)
        if n
    )
