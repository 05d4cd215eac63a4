"""Classes of whole images: entries of the event log, of which the latest of each image counts."""

from __future__ import annotations

from napari_active_seg.project.event_log import EventsTable
from napari_active_seg.project.records import Event, ImageAnswer

__all__ = ["IMAGE_CLASS_EVENT", "ImageAnswers"]

#: Name of the events that record the class of an image.
IMAGE_CLASS_EVENT = "image class"


class ImageAnswers:
    """A class per image in addition to the mask; earlier answers are never changed."""

    def __init__(self, events: EventsTable) -> None:
        self._events = events

    def record_answer(
        self, image_id: str, name: str | None, *, annotator: str, seconds: float = 0.0
    ) -> None:
        """Record the class of an image; None for "can't tell"."""
        facts = {"class": name, "active_s": round(seconds, 2)}
        self._events.add(IMAGE_CLASS_EVENT, image_id, annotator=annotator, facts=facts)

    def latest(self) -> dict[str, ImageAnswer]:
        """Return the latest answer of each image that has one."""
        answers = sorted(self._events.named(IMAGE_CLASS_EVENT), key=lambda event: event.at)
        return {event.subject: _answer(event) for event in answers}

    def history(self, image_id: str) -> tuple[ImageAnswer, ...]:
        """Return all answers about an image, the oldest first."""
        return tuple(_answer(e) for e in self._events.of(image_id, what=IMAGE_CLASS_EVENT))


def _answer(event: Event) -> ImageAnswer:
    name, seconds = event.facts.get("class"), event.facts.get("active_s", 0.0)
    return ImageAnswer(
        event.subject,
        None if name is None else str(name),
        event.annotator,
        event.at,
        float(seconds) if isinstance(seconds, int | float) else 0.0,
    )
