"""Verbs on a project as a whole: init, info, label, report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from napari_active_seg.acquisition import RegionKind
from napari_active_seg.cli.console import echo, print_result, showing_progress
from napari_active_seg.cli.options import (
    JsonOption,
    MasksAsOption,
    ProjectArgument,
    class_names,
    describe_convention,
    opened,
    reading_facts,
    run_verb,
)
from napari_active_seg.errors import ConfigError
from napari_active_seg.importers import AnnotationOptions
from napari_active_seg.project import Project, Split
from napari_active_seg.regions import RegionState, count_labelled_pixels
from napari_active_seg.session.create_project import (
    CreatedProject,
    ImageSettings,
    MasksAmongImagesError,
    create_project,
)

__all__ = ["register"]


class MaskLike(StrEnum):
    """What files with two grey values are."""

    MASKS = "masks"
    IMAGES = "images"


MasksOption = Annotated[
    Path | None,
    typer.Option(
        help="Masks that exist already; by default those found among the images or next to them. "
        "Those of validation images are taken over at once; those of pool images when you run "
        "'label'."
    ),
]
NoMasksOption = Annotated[
    bool, typer.Option("--no-masks", help="Take no masks, whatever is found.")
]
MaskLikeOption = Annotated[
    MaskLike | None,
    typer.Option(
        help="What files with two grey values are, where a third of the images or more are such: "
        "masks or images. Without it nothing is created then."
    ),
]
FolderSplitsOption = Annotated[
    bool, typer.Option(help="Keep the split that folders named train, val and test give.")
]
#: Names that a line of words lists; JSON has them all.
_FEW = 10


def register(app: typer.Typer) -> None:
    """Add the verbs to ``app``."""
    for verb in (init, info, label, report):
        app.command()(verb)


def init(
    project: Annotated[Path, typer.Argument(help="A new or empty folder.", metavar="PROJECT")],
    images: Annotated[
        Path, typer.Option(help="Folder of images: PNG, JPEG, BMP, TIFF, slides, OME-Zarr.")
    ],
    classes: Annotated[str, typer.Option(help="Class names, such as background,gland.")],
    masks: MasksOption = None,
    no_masks: NoMasksOption = False,
    mask_like: MaskLikeOption = None,
    masks_as: MasksAsOption = "auto",
    val_fraction: Annotated[
        float, typer.Option(help="Share of images set aside for validation, once and for all.")
    ] = 0.2,
    test_fraction: Annotated[
        float, typer.Option(help="Share set aside for the last word: never used to choose a model.")
    ] = 0.0,
    table: Annotated[
        Path | None,
        typer.Option(help="CSV with the columns image and patient (or slide, group) or split."),
    ] = None,
    group_pattern: Annotated[
        str | None,
        typer.Option(help="Regular expression that finds the patient or slide in a file name."),
    ] = None,
    folder_splits: FolderSplitsOption = True,
    pseudonyms: Annotated[
        Path | None,
        typer.Option(
            help="Give images and patients pseudonyms and write the key to this file, outside "
            "the project."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the split and of all that follows.")] = 0,
    as_json: JsonOption = False,
) -> None:
    """Make a project from a folder of images.

    Example: napari-active-seg init my-project --images slides/ --classes background,gland
    """
    if masks is not None and no_masks:
        raise ConfigError("--masks and --no-masks exclude each other; give one of them")
    if masks_as != "auto" and no_masks:
        raise ConfigError("--as and --no-masks exclude each other; give one of them")
    settings = ImageSettings(
        val_fraction=val_fraction,
        test_fraction=test_fraction,
        seed=seed,
        table=table,
        group_pattern=group_pattern,
        key_file=pseudonyms,
        mask_like="ask" if mask_like is None else mask_like.value,
        masks_as=masks_as,
        folder_splits=folder_splits,
    )
    with showing_progress("Looking at images") as tell, _naming_the_option():
        created = create_project(
            project,
            images_dir=images,
            classes=class_names(classes),
            masks_dir=masks,
            find_masks=not no_masks,
            settings=settings,
            on_file=tell,
        )
    _print_created(project, created, masks_as, as_json=as_json)


@contextmanager
def _naming_the_option() -> Iterator[None]:
    """Add the option that answers to the error about images that look like masks."""
    try:
        yield
    except MasksAmongImagesError as error:
        raise MasksAmongImagesError(f"{error} (--mask-like masks or --mask-like images)") from error


def info(project: ProjectArgument, as_json: JsonOption = False) -> None:
    """Say what a project holds.

    Example: napari-active-seg info my-project --json
    """
    with Project.open(project, read_only=True) as opened_project:
        facts = _facts(opened_project)
    lines = [f"{key.replace('_', ' ')}: {_in_words(value)}" for key, value in facts.items()]
    print_result(facts, as_json=as_json, text="\n".join(lines))


def label(
    project: ProjectArgument,
    from_masks: Annotated[Path, typer.Option(help="Folder of masks named like the images.")],
    only: Annotated[
        str, typer.Option(help="proposed: the waiting regions; images: whole images; all: both.")
    ] = "proposed",
    masks_as: MasksAsOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Let masks answer: a simulated annotator for proposed regions, or the import of labels.

    Example: napari-active-seg label my-project --from-masks masks/ --only proposed
    """
    with opened(project) as session:
        before = session.state.counts[RegionState.DONE]
        options = AnnotationOptions(masks_as)
        response = run_verb(
            session,
            "Labelling",
            lambda: session.labels.answer_from_masks(from_masks, only=only, options=options),
        )
        count = session.state.counts[RegionState.DONE] - before
        waiting = len(session.state.open_regions)
    facts = {"labelled_regions": count, "waiting": waiting, **reading_facts(response)}
    text = f"{count} regions labelled, {waiting} still waiting"
    if response.convention is not None:
        text += f"\n{describe_convention(response.convention)}"
    print_result(facts, as_json=as_json, text=text)


def report(
    project: ProjectArgument,
    out: Annotated[Path, typer.Option(help="The HTML file to write.")],
    as_json: JsonOption = False,
) -> None:
    """Write a project as one HTML page without outside links.

    Example: napari-active-seg report my-project --out report.html
    """
    from napari_active_seg.session.report import write_project_report

    with opened(project, read_only=True) as session:
        write_project_report(session, out)
    print_result({"out": str(out)}, as_json=as_json, text=f"{out} written")


def _print_created(project: Path, created: CreatedProject, masks_as: str, *, as_json: bool) -> None:
    for problem in created.problems:
        echo(f"set aside: {problem.why}")
    for note in created.notes:
        echo(f"note: {note}")
    facts = {
        "project": str(created.folder),
        "images": created.images,
        "validation_images": created.validation_images,
        "validation_labelled": created.validation_labelled,
        "test_images": created.test_images,
        "masks_dir": None if created.masks_dir is None else str(created.masks_dir),
        "masks": created.masks,
        "masks_read_as": created.masks_read_as,
        "masks_left_for_label": created.masks_left,
        "region_size": created.region_size.size,
        "recognised_as": created.layout,
        "notes": list(created.notes),
        "set_aside": [{"file": p.file, "why": p.why} for p in created.problems],
    }
    text = (
        f"{created.folder}: {created.images} images, {created.validation_images} of them for "
        f"validation ({created.validation_labelled} labelled), {len(created.problems)} set aside"
    )
    if created.layout_summary:
        text += f"\nrecognised as {created.layout_summary}"
    if created.masks_dir is not None:
        text += f"\nmasks in {created.masks_dir}: {created.masks} of {created.images} match"
    if created.masks_read_as is not None:
        text += f"\n{describe_convention(created.masks_read_as)}"
    text += f"\n{created.region_size.summary}"
    if created.test_images:
        text += f"\n{created.test_images} images are for test: never trained on, never chosen by"
    if created.masks_left:
        text += (
            f"\n{created.masks_left} masks of pool images wait; to take them over: "
            f"napari-active-seg label {project} --from-masks {created.masks_dir} --only images"
            f"{'' if masks_as == 'auto' else f' --as {masks_as}'}"
        )
    print_result(facts, as_json=as_json, text=text)


def _facts(project: Project) -> dict[str, Any]:
    queue = project.regions.queue()
    pool = project.images.all(Split.POOL)
    labels = project.labels.done([ref.id for ref in pool])
    total = sum(ref.shape[0] * ref.shape[1] for ref in pool)
    pixels = count_labelled_pixels(labels)
    model = project.models.in_use()
    return {
        "project": project.config.name,
        "classes": list(project.schema.names),
        "images": len(project.images.all()),
        "pool_images": len(pool),
        "validation_images": len(project.images.all(Split.VALIDATION)),
        "test_images": len(project.images.all(Split.TEST)),
        "missing_images": list(project.images.missing()),
        "held_by": None if project.holder is None else project.holder.description,
        "annotators": list(project.labels.annotators()),
        "rounds": project.regions.last_round(),
        "regions": dict(Counter(str(queued.state) for queued in queue)),
        "own_regions": sum(queued.kind is RegionKind.MANUAL for queued in queue),
        "cache_bytes": project.predictions.size,
        "labelled_pixels": pixels,
        "labelled_share": pixels / total if total else 0.0,
        "models": [
            {
                "id": m.id,
                "preset": m.preset,
                "round": m.round,
                "classes": list(m.classes),
                "metrics": dict(m.metrics),
            }
            for m in project.models.all()
        ],
        "model_in_use": None if model is None else model.id,
        "seed": project.config.seed,
    }


def _in_words(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{count} {name}" for name, count in value.items()) or "none"
    if isinstance(value, list):
        names = [item["id"] if isinstance(item, dict) else str(item) for item in value]
        more = f" and {len(names) - _FEW} more" if len(names) > _FEW else ""
        return ", ".join(names[:_FEW]) + more or "none"
    if isinstance(value, float):
        return f"{value:.2%}"
    return "none" if value is None else str(value)
