"""One arm of one seed: label, train, measure, round by round, from wherever it stopped.

What is done is read off the project and the file of records, so that a kill at any place loses no
more than the step that it hit, and what comes after is what would have come.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from time import perf_counter
from typing import Any

import numpy as np

from napari_active_seg._util.jsonl import add_line, read_lines_by_key
from napari_active_seg.acquisition import Budget, Strategy, get_strategy
from napari_active_seg.errors import NothingToDoError
from napari_active_seg.session import Session
from napari_active_seg.session.trust.figures import bins_of_selected
from napari_active_seg.studies.segmentation.embedding_map import SEEN, load_embeddings
from napari_active_seg.studies.segmentation.record import ALL_LABELS, RoundRecord, append_record
from napari_active_seg.studies.segmentation.run_base import (
    RECORDS,
    SELECTED,
    OnRound,
    ProjectRun,
    StudyContext,
    arm_folder,
    reference_folder,
    start_folder,
)
from napari_active_seg.studies.segmentation.selection_summary import Chosen, SelectionSummary
from napari_active_seg.studies.segmentation.settings import ArmSettings, parsed_batch
from napari_active_seg.studies.segmentation.splits import drawn_order
from napari_active_seg.uncertainty import get_measure

__all__ = ["ArmRun", "ReferenceRun", "StartRun"]

USED_UP = "used-up"
#: Where a measure has no highest value, what was selected is looked at by this one.
_BOUNDED = "entropy"


class StartRun(ProjectRun):
    """What arms of one seed share: the project, its first labels and its first model."""

    def __init__(self, bench: StudyContext, arm: ArmSettings, seed: int) -> None:
        super().__init__(bench, start_folder(bench.study, bench.out, arm, seed), arm, seed)

    def run(self, on_round: OnRound) -> None:
        """Label, train and measure; a project that somebody removed is made again."""
        if self.is_done and self.project.exists():
            return
        on_round(f"the start of seed {self.seed}")
        self.make_project()
        session = self.bench.open_session(self.project)
        try:
            self._label_start(session)
            self.train(session, 0)
            if not self.records:
                append_record(self.folder / RECORDS, self.measure(session, 0, "start"))
            if self.study.maps and not (self.folder / SEEN).exists():
                self.keep_embeddings(session)
        finally:
            session.close()

    def _label_start(self, session: Session) -> None:
        start = self.study.start_of(self.arm)
        pool = set(self.pool(session))
        images = [image for image in self.bench.data.part("train") if image.id in pool]
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
    """An arm that goes on from a start."""

    def __init__(self, bench: StudyContext, arm: ArmSettings, seed: int) -> None:
        super().__init__(bench, arm_folder(bench.out, arm, seed), arm, seed)

    @property
    def rounds(self) -> int:
        """How many rounds come after the start."""
        return self.study.rounds_of(self.arm)

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to be run; an arm whose pool ran out is done before."""
        return len(self.records) > self.rounds or (self.folder / USED_UP).exists()

    def run(self, on_round: OnRound) -> None:
        """Run the rounds that are missing."""
        if self.is_done:
            return
        self._begin()
        session = self.bench.open_session(self.project)
        try:
            for number in range(len(self.records), self.rounds + 1):
                on_round(f"{self.arm.name}, seed {self.seed}: round {number} of {self.rounds}")
                if not self._label(session, number):
                    break
                self.train(session, number)
                record = self.measure(session, number, self.arm.name)
                if self.study.maps:
                    self._keep_choice(session)
                append_record(self.folder / RECORDS, record)
        finally:
            session.close()
        if not self.study.keep_models:
            self.forget_models()

    def _begin(self) -> None:
        """Take a copy of the start over, with its first record under the arm's name."""
        start = StartRun(self.bench, self.arm, self.seed)
        if not self.project.exists():
            shutil.rmtree(self.folder, ignore_errors=True)  # of records alone nothing can go on
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
        """Return the arm's strategy with the measure and size that it is asked with."""
        parts = {"control": 0.0, "validation": 0.0, "per_image_share": 0.0, **self.arm.parts}
        named = get_strategy(self.arm.strategy)
        if named.unit != "images" and not named.size:
            parts.setdefault("size", self.study.size)
        return session.proposals.strategy(self.arm.strategy, **parts)

    # --- labels of a round -----------------------------------------------------------------------

    def _label(self, session: Session, number: int) -> bool:
        """Label what a round may cost; False where the pool has nothing left."""
        budget = self._budget(session)
        before = self.records[-1]
        began = perf_counter()
        while (left := self._left(session, budget, before)) > 0:
            if not session.state.open_regions and not self._propose(session, budget, left):
                break
            self._keep_selected(session, number)
            session.labels.answer_from(self.truth, annotate=self.annotate)
        self.took(number, "propose and label", began)
        if self.tally(session).pixels > before.labelled_pixels:
            return True
        (self.folder / USED_UP).touch()
        return False

    def _budget(self, session: Session) -> Budget:
        """Return what a round may cost; a share is of images, or else of the pool's pixels."""
        asked = parsed_batch(self.arm.batch or self.study.batch)
        if isinstance(asked, Budget):
            return asked
        pool = set(self.pool(session))
        if self.strategy(session).unit == "images":
            return Budget(max(1, round(asked * len(pool))))
        known = sum(i.known for i in self.bench.data.part("train") if i.id in pool)
        return Budget(max(1, round(asked * known)), "pixels")

    def _left(self, session: Session, budget: Budget, before: RoundRecord) -> float:
        """Return what a round may still spend, counted by what the annotator really took."""
        tally = self.tally(session)
        spent = {
            "regions": tally.regions - before.regions,
            "pixels": tally.pixels - before.labelled_pixels,
            "clicks": tally.clicks - before.clicks,
            "minutes": (tally.seconds - before.seconds) / 60,
        }[budget.unit]
        return budget.amount - spent

    def _propose(self, session: Session, budget: Budget, left: float) -> bool:
        """Let the strategy choose for what is left; False where nothing is."""
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
        """Write down how uncertain the model is of what was chosen, before it is labelled."""
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
        """Write down which images were asked for so far, as the start's model sees them."""
        seen = load_embeddings(start_folder(self.study, self.bench.out, self.arm, self.seed))
        if seen is not None:
            chosen = Chosen.of(session.project.regions.queue(), *seen)
            if chosen is not None:
                SelectionSummary.of(chosen).write(self.folder)


class ReferenceRun(ProjectRun):
    """What the network makes of all labels of the pool."""

    def __init__(self, bench: StudyContext, arm: ArmSettings, seed: int) -> None:
        folder = reference_folder(bench.study, bench.out, arm, seed)
        super().__init__(bench, folder, arm.model_copy(update={"keeps": 1}), seed)

    @property
    def settings(self) -> dict[str, Any]:
        """The settings of the project: nothing is left to be unlabelled, nothing to be asked."""
        return self.study.network_settings_of(self.arm)

    def run(self, on_round: OnRound) -> None:
        """Label everything, train and measure."""
        if self.is_done:
            return
        on_round(f"all labels, seed {self.seed}")
        self.make_project()
        session = self.bench.open_session(self.project)
        try:
            self.label_images(session, self.pool(session))
            self.train(session, 0)
            append_record(self.folder / RECORDS, self.measure(session, 0, ALL_LABELS))
        finally:
            session.close()
        if not self.study.keep_models:
            self.forget_models()
