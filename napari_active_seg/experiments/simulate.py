"""Run the loop with masks for an annotator, and measure every round on test images."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from napari_active_seg.acquisition import FIRST, strategy_named
from napari_active_seg.annotations import MaskFolder
from napari_active_seg.errors import BadInputError, ConfigError, did_you_mean
from napari_active_seg.experiments.curve_point import CurvePoint
from napari_active_seg.experiments.report import write_study_report
from napari_active_seg.images import ImageRef, open_image, scan_folder
from napari_active_seg.metrics import EvalReport
from napari_active_seg.project import Split
from napari_active_seg.session import Session
from napari_active_seg.session.creation import ImageSettings, create_project
from napari_active_seg.session.steps.evaluate import LabelledImage
from napari_active_seg.session.trust.records import keep_evaluation

__all__ = ["SimulationSettings", "folder_of_labelled_images", "simulate"]


@dataclass(frozen=True, slots=True)
class SimulationSettings:
    """A study: where the data are, how regions are chosen, and which baseline is run ``beside``.

    Studies of papers begin at random; ``first`` may say otherwise.
    """

    images: Path
    masks: Path
    test_images: Path
    test_masks: Path
    out: Path
    classes: tuple[str, ...] = ("background", "object")
    strategy: str = "uncertain-regions"
    measure: str | None = None
    size: int = 128
    start: int = 8
    first: str = "random"
    count: int = 8
    rounds: int = 3
    preset: str = "fast"
    epochs: int | None = None
    seed: int = 0
    beside: str | None = None

    def __post_init__(self) -> None:
        strategy_named(self.strategy)
        if self.beside is not None:
            strategy_named(self.beside)
        if self.first not in FIRST:
            raise ConfigError(f"no way to begin {self.first!r}: {did_you_mean(self.first, FIRST)}")
        if self.rounds < 0 or self.start < 1 or self.count < 1:
            raise ConfigError(
                "rounds must be 0 or more, start and count 1 or more, got "
                f"{self.rounds}, {self.start} and {self.count}"
            )


def simulate(
    settings: SimulationSettings,
    open_session: Callable[[Path], Session],
    *,
    on_round: Callable[[int, int, str], None],
) -> tuple[CurvePoint, ...]:
    """Return the curve of the strategy, and that of the one beside it.

    They are written to ``curves.csv``, ``results.json`` and ``report.html``. The projects that were
    labelled stay in ``out`` and can be opened in the desktop. Both arms have the same start and the
    same seed.
    """
    if settings.out.exists() and any(settings.out.iterdir()):
        raise BadInputError(f"{settings.out} exists and is not empty; choose another --out")
    test = folder_of_labelled_images(
        settings.test_images, settings.test_masks, n_classes=len(settings.classes)
    )
    arms = [("project", settings.strategy)]
    if settings.beside is not None and settings.beside != settings.strategy:
        arms.append((f"project-{settings.beside}", settings.beside))
    points: list[CurvePoint] = []
    total = len(arms) * (settings.rounds + 1)
    for folder, strategy in arms:
        created = create_project(
            settings.out / folder,
            images_dir=settings.images,
            classes=settings.classes,
            settings=ImageSettings(val_fraction=0.0, seed=settings.seed),
        )
        session = open_session(created.folder)
        try:
            for number in range(settings.rounds + 1):
                on_round(len(points), total, f"round {number}: {strategy}")
                points.append(_one_round(session, settings, strategy, test, number))
        finally:
            session.close()
    _write_curves(settings, points)
    title = " beside ".join(strategy for _, strategy in arms)
    write_study_report(points, title, settings.out / "report.html")
    return tuple(points)


def folder_of_labelled_images(
    images: Path, masks: Path, *, n_classes: int
) -> tuple[LabelledImage, ...]:
    """Return the images of one folder with their masks in another; all need one."""
    found = {image.id: image for image in scan_folder(images).images}
    refs = tuple(ImageRef(i.id, "", i.shape, i.spacing, "") for i in found.values())
    oracle = MaskFolder.from_folder(masks, refs, n_classes=n_classes)
    without = sorted(set(found) - set(oracle.image_ids))
    if without:
        raise BadInputError(f"no mask in {masks} for {', '.join(without[:5])}; add it or move it")

    def labelled(image_id: str) -> LabelledImage:
        return LabelledImage(
            image_id, partial(open_image, found[image_id].path), lambda: oracle.whole(image_id)
        )

    return tuple(labelled(image_id) for image_id in found)


def _one_round(
    session: Session,
    settings: SimulationSettings,
    strategy: str,
    test: tuple[LabelledImage, ...],
    number: int,
) -> CurvePoint:
    chosen = strategy_named(strategy if number else settings.strategy)
    measure = settings.measure or chosen.measure or session.state.measure
    unit = strategy_named(settings.strategy).unit  # a baseline is asked for places of the same kind
    session.propose(
        count=settings.count if number else settings.start,
        size=settings.size,
        measure=measure,
        strategy=chosen.name,
        unit=unit,
        first=settings.first,
        control=0.0,
        validation=0.0,
    )
    session.wait()
    session.labels.answer_from_masks(settings.masks)
    session.wait()
    session.train(preset=settings.preset, epochs=settings.epochs, start="fresh")
    session.wait()
    reports: list[EvalReport] = []
    session.evaluate(images=test, on_report=reports.append)
    session.wait()
    model = session.state.model
    if model is not None:  # so that the project's own figures show how it did
        keep_evaluation(session.project, model.id, reports[0], audit=True)
    images = session.project.images.all(Split.POOL)
    labels = session.project.labels.done([ref.id for ref in images])
    pixels = sum(label.labelled_pixels for label in labels)
    return CurvePoint(
        strategy,
        measure,
        settings.seed,
        number,
        len(labels),
        pixels,
        pixels / sum(ref.shape[0] * ref.shape[1] for ref in images),
        reports[0].figures(),
    )


def _write_curves(settings: SimulationSettings, points: list[CurvePoint]) -> None:
    names = sorted({name for point in points for name in point.scores})
    facts = ("strategy", "measure", "seed", "round", "regions", "labelled_pixels", "labelled_share")
    with (settings.out / "curves.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow((*facts, *names))
        for point in points:
            row = [getattr(point, fact) for fact in facts]
            writer.writerow((*row, *(point.scores.get(name, "") for name in names)))
    results = {
        "settings": {key: _plain(value) for key, value in asdict(settings).items()},
        "points": [asdict(point) for point in points],
    }
    (settings.out / "results.json").write_text(json.dumps(results, indent=2), encoding="utf-8")


def _plain(value: object) -> object:
    return str(value) if isinstance(value, Path) else value
