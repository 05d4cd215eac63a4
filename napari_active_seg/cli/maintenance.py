"""Verbs that care for a project: import, classes, models, history, relink, merge, config, ..."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from napari_active_seg.cli.config_show import show_sources
from napari_active_seg.cli.console import echo, print_result
from napari_active_seg.cli.options import (
    JsonOption,
    MasksAsOption,
    ProjectArgument,
    class_names,
    describe_convention,
    opened,
    pair,
    reading_facts,
    run_verb,
)
from napari_active_seg.errors import ConfigError, NothingToDoError, ProjectHeldError
from napari_active_seg.importers import AnnotationOptions
from napari_active_seg.project import (
    SETTINGS,
    MergeConflict,
    ModelRecord,
    Project,
    merge_projects,
)
from napari_active_seg.session import Session

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the verbs to ``app``."""
    app.command("import")(import_)
    for verb in (classes, models, history, relink, merge, config, unlock, cache):
        app.command()(verb)


def import_(
    project: ProjectArgument,
    labels: Annotated[
        Path | None,
        typer.Option(
            help="A data set that was exported (any format), a folder of masks, of nnU-Net, MONAI, "
            "Labelme or YOLO, GeoJSON (QuPath), COCO .json, or a .zip of them."
        ),
    ] = None,
    images: Annotated[
        Path | None, typer.Option(help="Folder of further images; they join the pool.")
    ] = None,
    group_pattern: Annotated[
        str | None, typer.Option(help="Finds the patient in the names of further images.")
    ] = None,
    masks_as: MasksAsOption = "auto",
    colours: Annotated[
        Path | None, typer.Option(help="CSV or JSON of class names and colours, for colour masks.")
    ] = None,
    ignore: Annotated[
        list[int] | None, typer.Option(help="A mask value that means 'not labelled'; repeatable.")
    ] = None,
    rest: Annotated[
        str | None, typer.Option(help="Class of what no outline holds; else it is not labelled.")
    ] = None,
    rename: Annotated[
        list[str] | None,
        typer.Option("--map", help="A class of the file and ours, as Tumor=tumour; repeatable."),
    ] = None,
    annotator: Annotated[str | None, typer.Option(help="Who labelled; default: the file.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Bring further images or labels into a project.

    Example: napari-active-seg import my-project --labels qupath-export/ --map Tumor=tumour
    """
    if labels is None and images is None:
        raise ConfigError("name what to import: --labels PATH, --images DIR, or both")
    options = AnnotationOptions(
        convention=masks_as,
        ignore=tuple(ignore or ()),
        colours=colours,
        rest=rest,
        renamed=dict(pair(text, "--map") for text in rename or ()),
    )
    facts: dict[str, Any] = {}
    lines = []
    with opened(project) as session:
        if images is not None:
            facts |= _import_images(session, images, group_pattern)
        if labels is not None:
            facts |= _import_labels(session, labels, options, annotator or labels.name)
    if images is not None:
        known = facts["images_known"]
        lines.append(f"{facts['images_added']} images added, {known} were there already")
    if labels is not None:
        without = len(facts["without_label"])
        lines.append(f"{facts['labelled_parts']} labels taken over, {without} images have none")
        if facts["masks_read_as"] is not None:
            lines.append(describe_convention(facts["masks_read_as"]))
    print_result(facts, as_json=as_json, text="\n".join(lines))


def _import_images(session: Session, folder: Path, group_pattern: str | None) -> dict[str, Any]:
    added = run_verb(
        session,
        "Looking at images",
        lambda: session.maintenance.add_images(folder, group_pattern=group_pattern),
    )
    for problem in added.problems:
        echo(f"set aside: {problem.why}")
    for note in added.notes:
        echo(f"note: {note}")
    return {
        "images_added": len(added.added),
        "images_known": len(added.known),
        "image_notes": list(added.notes),
    }


def _import_labels(
    session: Session, path: Path, options: AnnotationOptions, annotator: str
) -> dict[str, Any]:
    response = run_verb(
        session,
        "Importing",
        lambda: session.labels.import_from(path, options=options, annotator=annotator),
    )
    return {
        "labelled_parts": response.parts,
        "without_label": list(response.without_label),
        **reading_facts(response),
    }


def classes(
    project: ProjectArgument,
    add: Annotated[str | None, typer.Option(help="A new class, such as lumen.")] = None,
    rename: Annotated[str | None, typer.Option(help="A new name, as old=new.")] = None,
    recolour: Annotated[str | None, typer.Option(help="A new colour, as gland=#d55e00.")] = None,
    reorder: Annotated[str | None, typer.Option(help="All classes in a new order.")] = None,
    merge: Annotated[str | None, typer.Option(help="Count one as another, as lumen=gland.")] = None,
    undo: Annotated[bool, typer.Option("--undo", help="Take the latest change back.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show the classes, or change them in the middle of a project; labels are kept.

    Example: napari-active-seg classes my-project --merge lumen=gland
    """
    changes = [change for change in (add, rename, recolour, reorder, merge) if change is not None]
    if len(changes) + undo > 1:
        raise ConfigError("one change of classes at a time, so that each can be undone by itself")
    if not changes and not undo:
        with Project.open(project, read_only=True) as seen:
            _print_classes(seen, as_json=as_json)
        return
    with opened(project) as session:
        _change_classes(session, add, rename, recolour, reorder, merge, undo=undo)
        _print_classes(session.project, as_json=as_json)


def history(
    project: ProjectArgument,
    region: Annotated[str, typer.Argument(help="A region's id, as exports and info name it.")],
    restore: Annotated[str | None, typer.Option(help="Take the label back to this save.")] = None,
    reopen: Annotated[bool, typer.Option("--reopen", help="Take back that it is done.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show every save of a region's label, or take it back to one.

    Example: napari-active-seg history my-project 3f2a9c0d1e4b --restore 9b1c...
    """
    if restore is not None or reopen:
        with opened(project) as session:
            if restore is not None:
                session.labels.restore(region, _whole_uid(session.project, region, restore))
            if reopen:
                session.labels.reopen(region)
            _print_history(session.project, region, as_json=as_json)
        return
    with Project.open(project, read_only=True) as seen:
        _print_history(seen, region, as_json=as_json)


def relink(
    project: ProjectArgument,
    images: Annotated[
        Path | None, typer.Option(help="Folder to look for missing images in.")
    ] = None,
    accept_changed: Annotated[
        bool,
        typer.Option(
            "--accept-changed", help="Take files that were replaced as they are; labels stay."
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Find images again that were moved or renamed, by what is in them.

    Files that were replaced by others of the same size are refused by train, evaluate and export
    until --accept-changed takes them.

    Example: napari-active-seg relink my-project --images /media/stick/slides
    """
    if (images is None) is not accept_changed:
        raise ConfigError("give one of --images DIR, to find missing images, and --accept-changed")
    if images is None:
        _accept_changed(project, as_json=as_json)
        return
    with opened(project) as session:
        relinked = run_verb(
            session, "Looking for images", lambda: session.maintenance.relink(images)
        )
    facts = {
        "found": {image_id: str(path) for image_id, path in relinked.found.items()},
        "missing": list(relinked.missing),
    }
    text = f"{len(relinked.found)} images found again, {len(relinked.missing)} still missing"
    if relinked.missing:
        text += ": " + ", ".join(relinked.missing[:10])
    print_result(facts, as_json=as_json, text=text)


def _accept_changed(project: Path, *, as_json: bool) -> None:
    with opened(project) as session:
        accepted = run_verb(session, "Looking for images", session.maintenance.accept_changed)
    text = f"{len(accepted)} images are taken as they are now: {', '.join(accepted[:10])}"
    print_result({"accepted": list(accepted)}, as_json=as_json, text=text)


def merge(
    project: ProjectArgument,
    other: Annotated[Path, typer.Argument(help="A copy of it that was worked on elsewhere.")],
    as_json: JsonOption = False,
) -> None:
    """Bring all labels of a copy into a project; neither side loses a save.

    The copy is only read, and a copy of the project's database is put into backups/ first.

    Example: napari-active-seg merge my-project /media/stick/my-project
    """
    with Project.open(project) as ours, Project.open(other, read_only=True) as theirs:
        report = merge_projects(ours, theirs)
    facts = {
        "images": report.images,
        "proposals": report.proposals,
        "regions": report.regions,
        "labels": report.labels,
        "models": report.models,
        "notes": list(report.notes),
        "backup": str(report.backup),
        "conflicts": [
            {
                "region": c.region_id,
                "image": c.image_id,
                "annotators": list(c.annotators),
                "differing_pixels": c.differing_pixels,
                "in_force": c.kept,
                "states": [str(state) for state in c.states],
            }
            for c in report.conflicts
        ],
    }
    lines = [
        f"{report.labels} saves, {report.regions} regions, {report.images} images and "
        f"{report.models} models came from {other}",
        f"{len(report.conflicts)} regions are labelled otherwise in the two copies",
    ]
    lines += [
        f"  {c.image_id}, region {c.region_id}: {c.annotators[0]} and {c.annotators[1]} differ in "
        f"{c.differing_pixels} pixels; in force: {c.kept}{_describe_states(c)}"
        for c in report.conflicts
    ]
    lines += [f"note: {note}" for note in report.notes]
    print_result(facts, as_json=as_json, text="\n".join(lines))


def _describe_states(conflict: MergeConflict) -> str:
    """Return in which state a region is in either copy, where these differ."""
    ours, theirs = (str(state).replace("_", " ") for state in conflict.states)
    return "" if ours == theirs else f" ({ours} in ours, {theirs} in theirs)"


def config(
    context: typer.Context,
    project: Annotated[
        Path | None, typer.Argument(help="The project folder.", metavar="[PROJECT]")
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", help=f"A setting, as annotator=Anna. {', '.join(sorted(SETTINGS))}."),
    ] = None,
    show: Annotated[
        bool,
        typer.Option("--show", help="Every default of every verb too, and where each comes from."),
    ] = False,
    apply_unpainted: Annotated[
        bool,
        typer.Option(help="Apply unpainted to the regions that are finished already, too."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Show a project's settings, or change some; show where each value comes from.

    Example: napari-active-seg config my-project --set annotator=Anna --set samples=30

    Example: napari-active-seg config --show
    """
    if show:
        if changes:
            raise ConfigError("--set changes and --show looks; one at a time")
        show_sources(context.obj, project, as_json=as_json)
        return
    if project is None:
        raise ConfigError("name a project, or see the defaults of all verbs with --show")
    if changes or apply_unpainted:
        asked = dict(pair(text, "--set") for text in changes or ())
        with opened(project) as session:
            session.maintenance.configure(**asked)
            if apply_unpainted:
                _apply_unpainted(session)
            elif "unpainted" in asked:
                _hint_at_finished(session)
            facts = session.project.config.as_flat_dict()
    else:
        with Project.open(project, read_only=True) as seen:
            facts = seen.config.as_flat_dict()
    print_result(facts, as_json=as_json, text="\n".join(f"{k}: {v}" for k, v in facts.items()))


def _apply_unpainted(session: Session) -> None:
    effect = run_verb(session, "Completing finished regions", session.labels.apply_unpainted_rule)
    echo(f"{len(effect.changed)} finished regions have a new version")


def _hint_at_finished(session: Session) -> None:
    """Say that regions that are finished already stay as they are, and how to change that."""
    if session.labels.asks_about_unpainted:
        return
    count = len(session.labels.preview_unpainted_rule().changed)
    if count:
        echo(f"{count} finished regions stay as they are; --apply-unpainted changes them too")


def unlock(
    project: ProjectArgument,
    force: Annotated[
        bool,
        typer.Option("--force", help="Take over from a program that still runs on this machine."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Take a project over from a program that is gone; its window can no longer write.

    A program that died on this machine is noticed automatically; this is for one on another
    machine. A program that still runs here is refused: close it, or use --force.

    Example: napari-active-seg unlock my-project
    """
    with Project.open(project, read_only=True) as seen:
        holder = seen.holder
    if holder is None:
        raise NothingToDoError(f"nobody holds {project}; it can be opened as it is")
    if holder.is_on_this_machine and not force:
        raise ProjectHeldError(
            f"{project} is held by {holder.description}, which still runs: close it there, or take "
            "the project over with --force if it hangs",
            holder=holder.description,
        )
    Project.open(project, take_over=True).close()
    text = f"taken over from {holder.description}"
    print_result({"taken_over_from": holder.description}, as_json=as_json, text=text)


def cache(
    project: ProjectArgument,
    clear: Annotated[bool, typer.Option("--clear", help="Remove all cached predictions.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Say how much space cached predictions take, or remove them; they are computed again.

    Predictions of the model in use and of the one before it are kept, up to the setting
    cache_limit (in gigabytes); those of older models are removed after each job.

    Example: napari-active-seg cache my-project --clear
    """
    with Project.open(project, read_only=not clear) as kept:
        freed = kept.predictions.clear() if clear else 0
        facts = {
            "bytes": kept.predictions.size,
            "limit_bytes": round(kept.config.cache_limit * 1e9),
            "freed_bytes": freed,
        }
    text = f"{facts['bytes'] / 1e6:,.1f} MB of at most {facts['limit_bytes'] / 1e6:,.0f} MB"
    if clear:
        text = f"{freed / 1e6:,.1f} MB of cached predictions removed"
    print_result(facts, as_json=as_json, text=text)


def models(
    project: ProjectArgument,
    use: Annotated[
        str | None, typer.Option(help="Put this model in use, such as m001.", metavar="MODEL")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List the trained models with their scores, or put an earlier one in use.

    Example: napari-active-seg models my-project --use m001
    """
    with opened(project, device="cpu", read_only=use is None) as session:
        if use is not None:
            session.use_model(use)
        table = session.project.models
        there = [{**_model_facts(m), "has_file": table.has_file(m.id)} for m in table.all()]
    in_use = next((facts["id"] for facts in there if facts["in_use"]), None)
    lines = [_model_line(facts) for facts in there] or ["no model yet; train first"]
    print_result({"in_use": in_use, "models": there}, as_json=as_json, text="\n".join(lines))


def _model_facts(model: ModelRecord) -> dict[str, Any]:
    return {
        "id": model.id,
        "in_use": model.in_use,
        "preset": model.preset,
        "round": model.round,
        "trained": datetime.fromtimestamp(model.created_at, UTC).isoformat(timespec="seconds"),
        "mean_dice": model.metrics.get("mean_dice"),
    }


def _model_line(facts: Mapping[str, Any]) -> str:
    dice = facts["mean_dice"]
    score = "not measured" if dice is None else f"mean Dice {dice:.3f}"
    line = f"{facts['id']}  {facts['preset']}  round {facts['round']}  {facts['trained']}  {score}"
    line += "  in use" if facts["in_use"] else ""
    return line if facts["has_file"] else f"{line}  its file is not there"


def _change_classes(
    session: Session,
    add: str | None,
    rename: str | None,
    recolour: str | None,
    reorder: str | None,
    merge: str | None,
    *,
    undo: bool,
) -> None:
    maintenance = session.maintenance
    if undo:
        echo(f"undone: {maintenance.undo_class_change()}")
    elif add is not None:
        maintenance.add_class(add)
    elif rename is not None:
        maintenance.rename_class(*pair(rename, "--rename"))
    elif recolour is not None:
        maintenance.recolour_class(*pair(recolour, "--recolour"))
    elif reorder is not None:
        maintenance.reorder_classes(class_names(reorder))
    elif merge is not None:
        maintenance.merge_classes(*pair(merge, "--merge"))


def _print_classes(project: Project, *, as_json: bool) -> None:
    schema = project.schema
    pairs = list(zip(schema.names, schema.colours, strict=True))
    facts = {
        "classes": [{"name": name, "colour": colour} for name, colour in pairs],
        "history": list(project.classes.history()),
    }
    lines = [f"{k}: {name}  {colour}" for k, (name, colour) in enumerate(pairs)]
    print_result(facts, as_json=as_json, text="\n".join(lines))


def _print_history(project: Project, region: str, *, as_json: bool) -> None:
    state = project.regions.get(region).state
    saves = [
        {
            "save": saved.uid,
            "at": datetime.fromtimestamp(saved.saved_at, UTC).isoformat(timespec="seconds"),
            "annotator": saved.annotator,
            "state": saved.state,
            "note": saved.note,
            "active_s": round(saved.effort.active_s, 1),
            "begun": saved.effort.begun,
            "changed_pixels": saved.effort.changed_px,
        }
        for saved in project.labels.history(region)
    ]
    lines = [f"region {region} is {state.replace('_', ' ')}"]
    lines += [
        f"{str(s['save'])[:12]}  {s['at']}  {s['annotator']}  {s['state'] or ''}  {s['note']}"
        for s in saves
    ]
    print_result({"state": state, "saves": saves}, as_json=as_json, text="\n".join(lines))


def _whole_uid(project: Project, region: str, beginning: str) -> str:
    """Return the one save whose uid begins like this."""
    found = [s.uid for s in project.labels.history(region) if s.uid.startswith(beginning)]
    if len(found) != 1:
        raise ConfigError(f"{len(found)} saves of region {region} begin with {beginning!r}")
    return found[0]
