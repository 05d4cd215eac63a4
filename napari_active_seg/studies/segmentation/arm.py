"""Arms of a study of segmentation, their starts and references.

What is done is read from the project and the file of records, so that a run which was killed
resumes at the step that it did not finish, with the same results.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from time import perf_counter
from typing import Any

import numpy as np

from napari_active_seg._util.jsonl import add_line, read_lines_by_key
from napari_active_seg.acquisition import Budget, Strategy, get_strategy
from napari_active_seg.errors import NothingToDoError
from napari_active_seg.session import Session
from napari_active_seg.session.trust.figures import bins_of_selected
from napari_active_seg.studies.arm import RECORDS, arm_folder
from napari_active_seg.studies.segmentation.embedding_map import SEEN, load_embeddings
from napari_active_seg.studies.segmentation.record import ALL_LABELS, RoundRecord, append_record
from napari_active_seg.studies.segmentation.run_base import (
    SELECTED,
    ProjectRun,
    StudyContext,
    reference_folder,
    start_folder,
)
from napari_active_seg.studies.segmentation.selection_summary import Chosen, SelectionSummary
from napari_active_seg.studies.segmentation.settings import ArmSettings, parse_batch
from napari_active_seg.studies.segmentation.splits import drawn_order
from napari_active_seg.uncertainty import get_measure

__all__ = ["ArmRun", "ReferenceRun", "StartRun"]

USED_UP = "used-up"
#: The measure of selected pixels if that of the strategy has no upper bound.
_BOUNDED = "entropy"


class StartRun(ProjectRun):
    """What arms of one seed share: the project, its first labels and its first model."""

    def __init__(self, context: StudyContext, arm: ArmSettings, seed: int) -> None:
        folder = start_folder(context.study, context.out, arm, seed)
        super().__init__(context, folder, arm, seed, label="start")

    @property
    def is_done(self) -> bool:
        """Whether the first model is measured; a project that was removed is created again."""
        return super().is_done and self.project.exists()

    @contextmanager
    def open(self) -> Iterator[Session]:
        """Open the project with its first labels and model."""
        self.make_project()
        session = self.context.open_session(self.project)
        try:
            self._label_start(session)
            self.train(session, 0)
            yield session
            if self.study.maps and not (self.folder / SEEN).exists():
                self.keep_embeddings(session)
        finally:
            session.close()

    def label_round(self, session: Session, number: int) -> bool:
        """Return that the first labels are there."""
        return True

    def _label_start(self, session: Session) -> None:
        start = self.study.start_of(self.arm)
        pool = set(self.pool(session))
        images = [image for image in self.context.data.part("train") if image.id in pool]
        order = drawn_order(images, seed=self.seed, balanced=start.balanced)
        if start.images or start.percent:
            share = round(len(order) * start.percent / 100)
            self.label_images(session, order[: start.images or max(1, share)])
        elif start.clicks:
            for image_id in order:
                if self.tally(session).clicks >= start.clicks:
                    break
                self.label_images(session, [image_id])
        elif not session.state.proposed_regions or session.state.open_regions:
            if not session.state.open_regions:
                amount = Budget(start.pixels, "pixels") if start.pixels else Budget(start.regions)
                session.proposals.propose(
                    budget=amount,
                    size=start.size or self.study.size,
                    first=start.first,
                    strategy="uncertain-regions",
                    control=0.0,
                    validation=0.0,
                    per_image_share=0.0,
                )
            session.labels.answer_from(self.truth, annotate=self.annotate)


class ArmRun(ProjectRun):
    """An arm that continues from a start."""

    def __init__(self, context: StudyContext, arm: ArmSettings, seed: int) -> None:
        folder = arm_folder(context.out, arm, seed)
        super().__init__(context, folder, arm, seed, label=arm.name)

    @property
    def last_round(self) -> int:
        """The number of rounds after the start."""
        return self.study.rounds_of(self.arm)

    @property
    def is_done(self) -> bool:
        """Whether every round is finished; an arm whose pool is used up is done earlier."""
        return super().is_done or (self.folder / USED_UP).exists()

    def run_round(self, state: Session, number: int) -> Mapping[str, Any] | None:
        """Label, train and measure, and save which images were chosen."""
        record = super().run_round(state, number)
        if record is not None and self.study.maps:
            self._keep_choice(state)
        return record

    def make_project(self) -> None:
        """Copy the project of the start, and its first record under the arm's name."""
        start = StartRun(self.context, self.arm, self.seed)
        if not self.project.exists():
            # records without their project cannot be continued
            shutil.rmtree(self.folder, ignore_errors=True)
            building = self.folder / "building"
            shutil.copytree(start.folder / "project", building)
            if (start.folder / "shown").is_dir():
                shutil.copytree(start.folder / "shown", self.folder / "shown")
            building.rename(self.project)
        if not self.records:
            first = start.records[0]
            own = replace(first, arm=self.arm.name, strategy=self.arm.strategy)
            append_record(self.folder / RECORDS, own)

    def strategy(self, session: Session) -> Strategy:
        """Return the arm's strategy with its measure and size."""
        parts = {"control": 0.0, "validation": 0.0, "per_image_share": 0.0, **self.arm.parts}
        named = get_strategy(self.arm.strategy)
        if named.unit != "images" and not named.size:
            parts.setdefault("size", self.study.size)
        return session.proposals.strategy(self.arm.strategy, **parts)

    # --- labels of a round -----------------------------------------------------------------------

    def label_round(self, session: Session, number: int) -> bool:
        """Label what a round may cost; False if the pool has nothing left."""
        budget = self._budget(session)
        before = self.records[-1]
        began = perf_counter()
        while (left := self._left(session, budget, before)) > 0:
            if not session.state.open_regions and not self._propose(session, budget, left):
                break
            self._keep_selected(session, number)
            session.labels.answer_from(self.truth, annotate=self.annotate)
        self.record_time(number, "propose and label", began)
        if self.tally(session).pixels > before.labelled_pixels:
            return True
        (self.folder / USED_UP).touch()
        return False

    def _budget(self, session: Session) -> Budget:
        """Return what a round may cost; a share is one of images, else of the pool's pixels."""
        asked = parse_batch(self.arm.batch or self.study.batch)
        if isinstance(asked, Budget):
            return asked
        pool = set(self.pool(session))
        if self.strategy(session).unit == "images":
            return Budget(max(1, round(asked * len(pool))))
        known = sum(i.known for i in self.context.data.part("train") if i.id in pool)
        return Budget(max(1, round(asked * known)), "pixels")

    def _left(self, session: Session, budget: Budget, before: RoundRecord) -> float:
        """Return what a round may still spend, after the annotator's measured costs."""
        tally = self.tally(session)
        spent = {
            "regions": tally.regions - before.regions,
            "pixels": tally.pixels - before.labelled_pixels,
            "clicks": tally.clicks - before.clicks,
            "minutes": (tally.seconds - before.seconds) / 60,
        }[budget.unit]
        return budget.amount - spent

    def _propose(self, session: Session, budget: Budget, left: float) -> bool:
        """Propose regions for the remaining budget; False if the pool has nothing left."""
        tally = self.tally(session)
        asked: dict[str, Any] = {"count": max(1, int(left))}
        if budget.unit == "pixels":
            asked = {"budget": Budget(left, "pixels")}
        elif budget.unit != "regions":
            each = tally.clicks if budget.unit == "clicks" else tally.seconds / 60
            asked = {"count": max(1, int(left * max(tally.regions, 1) / max(each, 1e-9) * 0.7))}
        try:
            session.proposals.propose(strategy=self.strategy(session), **asked)
        except NothingToDoError:
            return False
        return True

    def _keep_selected(self, session: Session, number: int) -> None:
        """Record the model's uncertainty of the chosen regions before they are labelled."""
        kept = read_lines_by_key(self.folder / SELECTED, "round")
        strategy, project = self.strategy(session), session.project
        if number in kept or not strategy.uses_model:
            return
        n_classes = len(project.schema)
        bounded = np.isfinite(get_measure(strategy.measure).upper_bound(n_classes))
        measure = strategy.measure if bounded else _BOUNDED
        bins = bins_of_selected(project, session.state.open_regions, self.pool(session), measure)
        if bins is not None:
            facts = {
                "round": number,
                "measure": measure,
                "bound": bins.bound,
                "selected": bins.selected.tolist(),
                "rest": bins.rest.tolist(),
            }
            add_line(self.folder / SELECTED, facts)

    def _keep_choice(self, session: Session) -> None:
        """Save a summary of the chosen images in the embedding of the start's model."""
        seen = load_embeddings(start_folder(self.study, self.context.out, self.arm, self.seed))
        if seen is not None:
            chosen = Chosen.of(session.project.regions.queue(), *seen)
            if chosen is not None:
                SelectionSummary.of(chosen).write(self.folder)


class ReferenceRun(ProjectRun):
    """The network of an arm, trained on all labels of the pool."""

    def __init__(self, context: StudyContext, arm: ArmSettings, seed: int) -> None:
        folder = reference_folder(context.study, context.out, arm, seed)
        everything = arm.model_copy(update={"keeps": 1})
        super().__init__(context, folder, everything, seed, label=ALL_LABELS)

    @property
    def settings(self) -> dict[str, Any]:
        """The settings of the project, without those of strategies and unlabelled images."""
        return self.study.network_settings_of(self.arm)

    def label_round(self, session: Session, number: int) -> bool:
        """Label everything."""
        self.label_images(session, self.pool(session))
        return True
