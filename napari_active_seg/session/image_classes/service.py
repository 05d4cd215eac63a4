"""A class per image in addition to the mask: given by a person, learned by a second head."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future
from functools import partial
from statistics import median
from typing import Literal, overload

from napari_active_seg.acquisition import Budget
from napari_active_seg.errors import ConfigError, NothingToDoError, did_you_mean
from napari_active_seg.jobs import JobKind
from napari_active_seg.project import ImageAnswer
from napari_active_seg.regions import Effort, RegionState
from napari_active_seg.session.context import SessionContext
from napari_active_seg.session.image_classes.task import (
    NO_DIAGNOSIS,
    ImageClassChoices,
    ImageClassResult,
    SeenImages,
    choose_images,
    describe_head,
)
from napari_active_seg.session.state import Content

__all__ = ["NO_DIAGNOSIS", "ImageClassService", "describe_head"]

#: What an answer is thought to take before anybody has answered, and how many tell better.
_SECONDS, _ENOUGH = 5.0, 3


class ImageClassService:
    """Classes of whole images, and the second head that learns them."""

    def __init__(self, ctx: SessionContext) -> None:
        self._ctx = ctx
        self._answers: dict[str, ImageAnswer] | None = None
        self._said: Mapping[str, Mapping[str, float]] = {}
        self._seen = SeenImages()
        self.summary = ""  #: how the head did on answers left out; empty before it was asked

    @property
    def classes(self) -> tuple[str, ...]:
        """What an image may be; empty where the project has no second head."""
        return self._ctx.project.config.image_classes

    def answers(self) -> Mapping[str, ImageAnswer]:
        """Return the answer in force of each image that has one."""
        if self._answers is None:
            self._answers = self._ctx.project.image_answers.latest()
        return self._answers

    def opinion(self, image_id: str) -> Mapping[str, float] | None:
        """Return how probable each class of an image is to the head; None if it was not asked.

        A head lives as long as the session; it learns within seconds.
        """
        said = self._said.get(image_id)
        if said is None or self._ctx.state.blind or tuple(said) != self.classes:
            return None
        return said

    def name(self, *names: str) -> None:
        """Say what images may be: two to nine names, or none."""
        self._ctx.project.configure(image_classes=list(names))
        self._said, self.summary = {}, ""
        self._announce()

    def say(self, image_id: str, name: str | None, *, seconds: float = 0.0) -> None:
        """Say what an image as a whole is; None for "can't tell". Questions about it are answered.

        ConfigError with the known names.
        """
        if name is not None and name not in self.classes:
            raise ConfigError(f"no class of images {name!r}: {did_you_mean(name, self.classes)}")
        self._ctx.project.check_writable()
        self._ctx.project.images.ref(image_id)
        annotator = self._ctx.project.config.annotator
        self._ctx.project.image_answers.record_answer(
            image_id, name, annotator=annotator, seconds=seconds
        )
        state = RegionState.CANT_TELL if name is None else RegionState.DONE
        for asked in self._ctx.state.questions:
            if asked.region.image_id == image_id:
                self._ctx.project.regions.set_state(asked.id, state, annotator=annotator)
        self._answers = None
        self._announce()

    def leave(self, question_id: str, state: RegionState, *, seconds: float = 0.0) -> None:
        """Skip a question, put it off, or say that nobody can tell.

        NothingToDoError for "done": an answer is one of the classes.
        """
        if state is RegionState.DONE:
            known = self._ctx.project.regions.get(question_id).region.image_id in self.answers()
            if not known:
                raise NothingToDoError(f"say what this image is: {', '.join(self.classes)}")
        elif state is RegionState.CANT_TELL:
            image_id = self._ctx.project.regions.get(question_id).region.image_id
            self.say(image_id, None, seconds=seconds)
            return
        self._ctx.project.regions.set_state(
            question_id,
            state,
            annotator=self._ctx.project.config.annotator,
            effort=Effort(active_s=seconds),
        )
        self._announce()

    @overload
    def ask(
        self,
        budget: Budget | str | int = ...,
        *,
        measure: str | None = ...,
        wait: Literal[True] = ...,
    ) -> ImageClassResult: ...
    @overload
    def ask(
        self, budget: Budget | str | int = ..., *, measure: str | None = ..., wait: Literal[False]
    ) -> Future[ImageClassResult]: ...
    def ask(
        self, budget: Budget | str | int = 8, *, measure: str | None = None, wait: bool = True
    ) -> ImageClassResult | Future[ImageClassResult]:
        """Learn from the known answers, and put the images into the queue that are least certain.

        Parameters
        ----------
        budget
            A number of images, or minutes such as ``"5min"``.
        measure
            Uncertainty measure to choose by; by default the one that is shown.
        wait
            Whether to return the result; otherwise its future is returned at once.

        Returns
        -------
        ImageClassResult
            The images that were chosen. Without answers of two classes they are images that look
            least alike.

        Raises
        ------
        NothingToDoError
            If the project has no classes of images.
        """
        if len(self.classes) < 2:
            raise NothingToDoError(
                "say first what images may be, such as benign and malignant (image_classes)"
            )
        count = self._count(budget)

        choices = ImageClassChoices(
            count, measure or self._ctx.state.measure, self.seconds_of_an_answer(), self._seen
        )
        task = partial(choose_images, choices=choices)
        future = self._ctx.run(JobKind.CHOOSE_IMAGES, task, self._chosen)
        return future.result() if wait else future

    def seconds_of_an_answer(self) -> float:
        """Return what an answer takes this annotator, from those that were measured."""
        own = self._ctx.project.config.annotator
        took = [a.seconds for a in self.answers().values() if a.annotator == own and a.seconds > 0]
        return median(took) if len(took) >= _ENOUGH else _SECONDS

    def _count(self, budget: Budget | str | int) -> int:
        asked = Budget(budget) if isinstance(budget, int) else budget
        asked = Budget.parse(asked) if isinstance(asked, str) else asked
        if asked.unit == "minutes":
            return max(1, int(asked.amount * 60 // self.seconds_of_an_answer()))
        if asked.unit != "regions":
            raise ConfigError(f"whole images are asked for by number or minutes, not {asked}")
        return int(asked.amount)

    def _chosen(self, response: ImageClassResult) -> ImageClassResult:
        self._said, self.summary, self._seen = response.said, response.summary, response.seen
        latest = max((asked.round for asked in self._ctx.state.questions), default=0)
        self._ctx.project.regions.add_questions(response.asked, latest + 1)
        self._announce()
        return response

    def _announce(self) -> None:
        self._ctx.update(questions=self._ctx.project.regions.questions())
        self._ctx.content_changed.emit(Content.IMAGE_ANSWERS)
