"""Verbs for studies: simulate, reproduce, compare-runs, datasets, polygons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, fields, replace
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from napari_active_seg.acquisition import FIRST, STRATEGIES
from napari_active_seg.cli.completion import completing
from napari_active_seg.cli.console import echo, print_result, showing_progress
from napari_active_seg.cli.image_studies import reproduce_images, with_changes
from napari_active_seg.cli.options import (
    DeviceOption,
    JsonOption,
    MasksAsOption,
    class_names,
    describe_convention,
    describe_settings,
    pair,
    side_by_side,
)
from napari_active_seg.errors import ConfigError
from napari_active_seg.models.preset_names import PRESET_HELP, PRESET_NAMES
from napari_active_seg.regions import LabelSchema
from napari_active_seg.studies import (
    READERS,
    STUDIES,
    AnnotatorSettings,
    RoundRecord,
    Scale,
    StartSettings,
    StudySettings,
    arms_for,
    folder_of_labelled_images,
    paper_study,
    polygon_study,
    write_polygon_study,
    write_study,
)
from napari_active_seg.studies import simulate as run_simulation
from napari_active_seg.studies.compare import compare_runs as lay_beside
from napari_active_seg.studies.papers import IMAGE_STUDIES, image_study
from napari_active_seg.studies.results import read_notes
from napari_active_seg.uncertainty import measure_titles

__all__ = [
    "AnnotatorOption",
    "BatchOption",
    "BesideOption",
    "ClassesOption",
    "ConfigOption",
    "DatasetOption",
    "FirstOption",
    "FolderOption",
    "ImagesOption",
    "KeepOption",
    "MasksOption",
    "MeasureOption",
    "OutOption",
    "PresetOption",
    "ReferenceOption",
    "RoundsOption",
    "ScoreOption",
    "SeedsOption",
    "SetOption",
    "ShrinkOption",
    "SizeOption",
    "StartOption",
    "StrategyOption",
    "TestImagesOption",
    "TestMasksOption",
    "ValidationOption",
    "WorkersOption",
    "register",
]


OutOption = Annotated[
    Path, typer.Option(help="A folder for the study; one that was stopped resumes.")
]
WorkersOption = Annotated[
    int,
    typer.Option(help="Arms that run side by side; 0 is one a core, or one on a GPU."),
]
SeedsOption = Annotated[str, typer.Option(help="Seeds, with commas; three or more give a band.")]
ImagesOption = Annotated[Path | None, typer.Option(help="Pool of images.")]
MasksOption = Annotated[
    Path | None, typer.Option(help="Their masks, which the simulated annotator knows.")
]
TestImagesOption = Annotated[Path | None, typer.Option(help="Images to measure on.")]
TestMasksOption = Annotated[Path | None, typer.Option(help="Their masks.")]
DatasetOption = Annotated[
    str | None, typer.Option(help="In place of the folders: one of 'datasets'.")
]
FolderOption = Annotated[Path | None, typer.Option(help="Where that data set lies.")]
ConfigOption = Annotated[
    Path | None, typer.Option(help="A study.json to run in place of all options.")
]
StrategyOption = Annotated[
    str,
    typer.Option(
        help=f"One or more, with commas, of {', '.join(STRATEGIES)}.",
        autocompletion=completing(STRATEGIES),
    ),
]
BesideOption = Annotated[
    str, typer.Option(help="The baseline to compare with; none leaves it out.")
]
MeasureOption = Annotated[
    str | None,
    typer.Option(
        help=f"One of {', '.join(measure_titles())}; default the strategy's.",
        autocompletion=completing(measure_titles()),
    ),
]
ClassesOption = Annotated[str, typer.Option(help="Class names.")]
ShrinkOption = Annotated[float, typer.Option(help="Divide the sides of all images by this.")]
SizeOption = Annotated[int, typer.Option(help="Side of a region in pixels.")]
StartOption = Annotated[
    str,
    typer.Option(help="What is labelled before any model: 8, 50000px, 5images, 10% or 300clicks."),
]
FirstOption = Annotated[
    str,
    typer.Option(help=f"How regions are: {', '.join(FIRST)}.", autocompletion=completing(FIRST)),
]
BatchOption = Annotated[
    str, typer.Option(help="Budget of a round: 8, 5%, 50000px, 300clicks or 10min.")
]
RoundsOption = Annotated[int, typer.Option(help="Rounds after the start.")]
PresetOption = Annotated[
    str, typer.Option(help=PRESET_HELP, autocompletion=completing(PRESET_NAMES))
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set", help="A setting of the projects: steps=500, restarts=4, weights_file=FILE."
    ),
]
AnnotatorOption = Annotated[
    list[str] | None,
    typer.Option(
        help="What the annotator is like, such as tolerance=10, jitter=1, missed=0.05, "
        "noise=0.3, fatigue=0.2."
    ),
]
ValidationOption = Annotated[int, typer.Option(help="Images to choose among restarts by.")]
ReferenceOption = Annotated[bool, typer.Option(help="Train on all labels too.")]
ScoreOption = Annotated[str, typer.Option(help="The score of the first figure.")]
KeepOption = Annotated[bool, typer.Option(help="Keep every checkpoint.")]


def register(app: typer.Typer) -> None:
    """Add the verbs to ``app``."""
    app.command()(simulate)
    app.command()(reproduce)
    app.command("compare-runs")(compare_runs)
    app.command()(datasets)
    app.command()(polygons)


def simulate(
    out: OutOption,
    images: ImagesOption = None,
    masks: MasksOption = None,
    test_images: TestImagesOption = None,
    test_masks: TestMasksOption = None,
    masks_as: MasksAsOption = "auto",
    dataset: DatasetOption = None,
    data: FolderOption = None,
    config: ConfigOption = None,
    strategy: StrategyOption = "uncertain-regions",
    beside: BesideOption = "foreground-regions",
    measure: MeasureOption = None,
    classes: ClassesOption = "background,object",
    shrink: ShrinkOption = 1.0,
    size: SizeOption = 128,
    start: StartOption = "8",
    first: FirstOption = "random",
    batch: BatchOption = "8",
    rounds: RoundsOption = 3,
    preset: PresetOption = "fast",
    settings: SetOption = None,
    annotator: AnnotatorOption = None,
    validation: ValidationOption = 0,
    reference: ReferenceOption = True,
    score: ScoreOption = "mean_dice",
    seeds: SeedsOption = "0",
    workers: WorkersOption = 0,
    keep_models: KeepOption = False,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Run the loop with masks for an annotator and measure every round on test images.

    Example: napari-active-seg simulate --images train/ --masks train-masks/
    --test-images test/ --test-masks test-masks/ --rounds 5 --seeds 0,1,2 --out study/
    """
    if config is not None:
        _run(StudySettings.read(config), out, workers, device, as_json=as_json)
        return
    folders: dict[str, Any] = {"images": images, "masks": masks}
    folders |= {"test_images": test_images, "test_masks": test_masks}
    folders |= {"classes": class_names(classes) if dataset is None else (), "masks_as": masks_as}
    if masks_as != "auto" and dataset is not None:
        raise ConfigError(f"--as is for folders of masks; those of {dataset} are known")
    study = StudySettings.parse(
        name=out.name,
        data={"dataset": dataset or "folders", "root": data, "fit": {"shrink": shrink}, **folders},
        arms=arms_for(
            [name.strip() for name in strategy.split(",")],
            measure=measure,
            beside=None if beside == "none" else beside,
        ),
        start=_start(start, first),
        batch=batch,
        rounds=rounds,
        size=size,
        validation=validation,
        settings={"preset": preset, "init": "pretrained", **_settings(settings, "--set")},
        annotator=_annotator(annotator),
        seeds=_numbers(seeds),
        reference=reference,
        score=score,
        keep_models=keep_models,
    )
    _run(study, out, workers, device, as_json=as_json)


def reproduce(
    study: Annotated[
        str,
        typer.Argument(
            help=f"One of {', '.join([*STUDIES, *IMAGE_STUDIES])}.",
            autocompletion=completing([*STUDIES, *IMAGE_STUDIES]),
        ),
    ],
    data: Annotated[Path, typer.Option(help="Where its data lie; see 'datasets'.")],
    out: OutOption,
    scale: Annotated[
        Scale, typer.Option(help="full: the paper's settings; small: for two CPU cores.")
    ] = Scale.SMALL,
    variant: Annotated[
        str,
        typer.Option(
            help="glas and isic2016: few-labels; pools: POOL/BUDGET, such as 21f/10-10 or "
            "isic2016+copies/5-5; bcss: a budget; voc-polygons and a2d2-3k: another data set; "
            "mnist: deterministic or thousand; mnist-stream: cost; cifar10 and cifar100: a budget, "
            "such as 250-250, or mnist."
        ),
    ] = "",
    seeds: SeedsOption = "0,1,2",
    arms: Annotated[
        str, typer.Option(help="Only these arms, with commas; regions-* means all that begin so.")
    ] = "*",
    settings: SetOption = None,
    only_report: Annotated[
        bool, typer.Option(help="Run nothing: write tables and page of what is done.")
    ] = False,
    workers: WorkersOption = 0,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Run the study of a paper, and print its figures next to ours.

    Example: napari-active-seg reproduce glas --data GlaS/ --out glas-small/
    """
    if study in IMAGE_STUDIES:
        found = image_study(study, data, scale, _numbers(seeds), variant)
        reproduce_images(
            with_changes(found, arms=_names(arms), settings=settings),
            out,
            only_report=only_report,
            workers=workers,
            device=device,
            as_json=as_json,
        )
        return
    asked = paper_study(study, data, scale, _numbers(seeds), variant)
    changes = _settings(settings, "--set")
    chosen = [a for a in asked.arms if any(fnmatchcase(a.name, word) for word in _names(arms))]
    if not chosen:
        names = ", ".join(arm.name for arm in asked.arms)
        raise ConfigError(f"no arm is called {arms!r}; there are {names}")
    asked = StudySettings.parse(
        **{
            **asked.model_dump(),
            "arms": chosen,
            "settings": {**asked.settings, **changes},
            "changed": (*asked.changed, *describe_settings(changes)),
        }
    )
    for line in asked.changed:
        echo(line)
    if only_report:
        _tell(write_study(asked, out), asked, out, as_json=as_json)
        return
    _run(asked, out, workers, device, as_json=as_json)


def compare_runs(
    runs: Annotated[
        list[Path], typer.Argument(help="Folders of studies, or projects, two or more.")
    ],
    out: Annotated[Path, typer.Option(help="The page, an .html file.")],
    score: Annotated[str, typer.Option(help="What is compared.")] = "mean_dice",
    as_json: JsonOption = False,
) -> None:
    """Lay studies or projects side by side: curves, costs, and differences in pairs of seeds.

    Example: napari-active-seg compare-runs study-a/ study-b/ --out beside.html
    """
    compared = lay_beside(runs, score=score)
    compared.page.write(out)
    facts = {
        "out": str(out),
        "runs": [str(run) for run in runs],
        "rows": compared.rows,
        "kinds": compared.kinds,
    }
    lines = [" | ".join(map(str, row)) for row in (*compared.rows, *compared.kinds)]
    print_result(facts, as_json=as_json, text="\n".join([*lines, f"the page is {out}"]))


def datasets(as_json: JsonOption = False) -> None:
    """List the data sets that are read in their official layouts, and how to get them.

    Example: napari-active-seg datasets
    """
    facts = {
        reader.name: {"title": reader.title, "source": reader.source, "terms": reader.terms}
        for reader in READERS.values()
    }
    lines = [
        f"{reader.name}: {reader.title}\n    from {reader.source}\n    terms: {reader.terms}"
        for reader in READERS.values()
    ]
    print_result(facts, as_json=as_json, text="\n".join(lines))


def polygons(
    images: Annotated[Path, typer.Option(help="Images.")],
    masks: Annotated[Path, typer.Option(help="Their masks.")],
    out: Annotated[Path, typer.Option(help="A folder for polygons.csv, .json and .html.")],
    classes: Annotated[str, typer.Option(help="Class names.")] = "background,object",
    tolerances: Annotated[
        str, typer.Option(help="Pixels that a polygon may be from the outline, with commas.")
    ] = "1,2,3,5,10,15,20,30,40",
    masks_as: MasksAsOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Simplify the outlines of masks: clicks that they take, and what of the truth is kept.

    Example: napari-active-seg polygons --images train/ --masks train-masks/ --out polygons/
    """
    names = class_names(classes)
    try:
        wanted = [float(part) for part in _names(tolerances)]
    except ValueError as error:
        raise ConfigError(f"tolerances are numbers with commas, got {tolerances!r}") from error
    folder = folder_of_labelled_images(
        images, masks, LabelSchema.from_names(names), masks_as=masks_as
    )
    found = folder.images
    with showing_progress("Outlining") as tell:
        points = polygon_study(
            [(image.id, image.target) for image in found],
            wanted,
            n_classes=len(names),
            on_image=tell,
        )
    write_polygon_study(points, len(found), out)
    lines = [
        f"{p.tolerance:g} px: {p.clicks_per_image:.1f} clicks per image, "
        f"{p.mean_jaccard:.2%} mean Jaccard kept"
        for p in points
    ]
    lines.append(describe_convention(folder.convention))
    facts = {
        "out": str(out),
        "images": len(found),
        "masks_read_as": folder.convention,
        "points": [asdict(p) for p in points],
    }
    print_result(facts, as_json=as_json, text="\n".join(lines))


# --- what was asked for --------------------------------------------------------------------------


def _names(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _numbers(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in _names(text))
    except ValueError as error:
        raise ConfigError(f"seeds are whole numbers with commas, got {text!r}") from error


def _start(text: str, first: str) -> StartSettings:
    """Return what ``8``, ``50000px``, ``5images``, ``10%`` or ``300clicks`` stand for."""
    amount = text.strip().rstrip("abcdefghijklmnopqrstuvwxyz% ")
    unit = text.strip()[len(amount) :].strip() or "regions"
    unit = {"%": "percent", "px": "pixels"}.get(unit, unit)
    if (
        unit not in ("regions", "pixels", "images", "clicks", "percent")
        or not amount.isdigit()
        or int(amount) < 1
    ):
        raise ConfigError(f"a start is like 8, 50000px, 5images, 10% or 300clicks, got {text!r}")
    return StartSettings.parse(**{unit: int(amount), "first": first})


def _settings(given: Sequence[str] | None, option: str) -> dict[str, Any]:
    """Return names with values, whole numbers and others as numbers."""
    found: dict[str, Any] = {}
    for text in given or ():
        key, word = pair(text, option)
        value: Any = word
        for kind in (int, float):
            try:
                value = kind(word)
                break
            except ValueError:
                continue
        found[key] = value
    return found


def _annotator(given: Sequence[str] | None) -> AnnotatorSettings:
    known = {field.name for field in fields(AnnotatorSettings)}
    chosen = _settings(given, "--annotator")
    for key in chosen:
        if key not in known:
            raise ConfigError(f"an annotator has {', '.join(sorted(known))}, not {key!r}")
    return replace(AnnotatorSettings(), **chosen)


# --- running -------------------------------------------------------------------------------------


def _run(study: StudySettings, out: Path, workers: int, device: str, *, as_json: bool) -> None:
    from napari_active_seg.api import open_session

    beside, words = side_by_side(workers, device, study.threads)
    with showing_progress("Studying") as tell:
        records = run_simulation(
            study,
            out,
            partial(open_session, device=device),
            workers=beside,
            device=words,
            on_progress=tell,
        )
    _tell(records, study, out, as_json=as_json)


def _tell(
    records: Sequence[RoundRecord], study: StudySettings, out: Path, *, as_json: bool
) -> None:
    notes = read_notes(out)
    facts = {
        "out": str(out),
        "notes": list(notes),
        "rounds": [_facts(record) for record in records],
    }
    lines = [*(_line(record, study.score) for record in records), *notes]
    print_result(facts, as_json=as_json, text="\n".join([*lines, f"the page is in {out}"]))


def _facts(record: RoundRecord) -> dict[str, object]:
    return {
        "arm": record.arm,
        "strategy": record.strategy,
        "seed": record.seed,
        "round": record.round,
        "regions": record.regions,
        "labelled_share": record.labelled_share,
        "clicks": record.clicks,
        "seconds": record.seconds,
        **record.scores,
    }


def _line(record: RoundRecord, score: str) -> str:
    value, ece = (record.scores.get(name, float("nan")) for name in (score, "ece"))
    return (
        f"{record.arm}, seed {record.seed}, round {record.round}: {record.regions} regions, "
        f"{record.labelled_share:.2%} of pixels, {score} {value:.3f}, ECE {ece:.3f}"
    )
