"""Gather the chosen labels and hand them to an exporter."""

from __future__ import annotations

import base64
import csv
import hashlib
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from napari_active_seg.errors import ConfigError, NothingToDoError, did_you_mean
from napari_active_seg.export import (
    Exporter,
    ExportResult,
    ExportSet,
    ImageRow,
    RegionRow,
    write_data_set,
)
from napari_active_seg.export.tiling import ImageToExport, iter_samples
from napari_active_seg.jobs import CancelToken
from napari_active_seg.jobs.job import ProgressCallback
from napari_active_seg.project import CANT_TELL, Project, ProposalFacts, QueuedRegion, SavedLabel
from napari_active_seg.regions import Effort, Region, RegionState
from napari_active_seg.session.check_images import check_unchanged
from napari_active_seg.session.labels.image_labels import ImageLabels

__all__ = ["ExportChoice", "ExportRequest", "export_labels"]


@dataclass(frozen=True, slots=True)
class ExportChoice:
    """Which labels, cut how.

    ``states`` is "done", or "all" for regions in any state with what is saved of them so far.
    ``annotator`` takes the last save of one person; ``rounds`` the regions of some rounds (0 are
    labels that came with their images). ``fill`` is the class written where nothing is labelled.
    ``pseudonyms`` is the file that the key goes to, outside what is exported.
    """

    cut: str = "images"
    tile: int = 512
    overlap: int = 0
    states: str = "done"
    annotator: str | None = None
    rounds: tuple[int, ...] = ()
    fill: str | None = None
    pictures: bool | None = None
    terms: str = ""
    pseudonyms: Path | None = None
    overwrite: bool = False


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """What to export, how and where to."""

    project: Project
    exporter: Exporter
    out: Path
    choice: ExportChoice = ExportChoice()


def export_labels(
    request: ExportRequest, token: CancelToken, report: ProgressCallback
) -> ExportResult:
    """Write the chosen labels, with where each came from."""
    project, choice = request.project, request.choice
    chosen = _chosen_regions(project, choice)
    saves = _latest_saves(project, choice.annotator)
    kept = [q for q in chosen if q.id in saves]
    if not kept:
        raise NothingToDoError(
            "none of the chosen regions is labelled; finish a region, or choose more "
            "(--states all, another annotator or round)"
        )
    check_unchanged(project.images.find_changed, (q.region.image_id for q in kept), token)
    if choice.annotator is not None:
        chosen = kept
    names = _Names(project, choice, chosen, saves)
    images = _labelled_images(project, kept, saves, names)
    fill = None if choice.fill is None else project.schema.index(choice.fill)
    data = ExportSet(
        name=project.config.name,
        schema=project.schema,
        pieces=iter_samples(
            images, cut=choice.cut, tile=choice.tile, overlap=choice.overlap, fill=fill
        ),
        rows=_rows(project, chosen, saves, names),
        with_pictures=choice.cut != "images" if choice.pictures is None else choice.pictures,
        without_pictures=choice.pictures is False,
        terms=choice.terms,
        request=_in_words(choice),
        image_rows=_image_rows(project, {q.region.image_id for q in kept}, names),
    )

    def on_piece(number: int, total: int, name: str) -> None:
        token.check()
        report(number, total, name)

    written = write_data_set(
        data,
        request.exporter,
        request.out,
        stamp=_stamp(project, chosen, saves),
        overwrite=choice.overwrite,
        on_piece=on_piece,
    )
    names.write_key()
    return written


# --- which ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Save:
    """The save of a region that is exported, with the effort of the chosen annotators."""

    newest: SavedLabel
    spent: Effort


def _chosen_regions(project: Project, choice: ExportChoice) -> list[QueuedRegion]:
    if choice.states not in ("done", "all"):
        raise ConfigError(
            f"states must be done or all: {did_you_mean(choice.states, ['done', 'all'])}"
        )
    known = project.labels.annotators()
    if choice.annotator is not None and choice.annotator not in known:
        raise ConfigError(
            f"nobody called {choice.annotator!r} labelled: {did_you_mean(choice.annotator, known)}"
        )
    return [
        queued
        for queued in project.regions.queue()
        if (choice.states == "all" or queued.state is RegionState.DONE)
        and (not choice.rounds or queued.round in choice.rounds)
    ]


def _latest_saves(project: Project, annotator: str | None) -> dict[str, _Save]:
    found: dict[str, _Save] = {}
    for save in project.labels.saves():
        if annotator is None or save.annotator == annotator:
            before = found[save.region_id].spent if save.region_id in found else Effort()
            found[save.region_id] = _Save(save, before + save.effort)
    return found


def _labelled_images(
    project: Project,
    kept: Sequence[QueuedRegion],
    saves: Mapping[str, _Save],
    names: _Names,
) -> list[ImageToExport]:
    by_image: dict[str, list[tuple[Region, str]]] = {}
    for queued in kept:
        by_image.setdefault(queued.region.image_id, []).append(
            (queued.region, saves[queued.id].newest.uid)
        )
    found = []
    for image_id in sorted(by_image):
        ref, placement = project.images.ref(image_id), project.images.placement(image_id)
        shown = names.image(image_id)
        labels = [(replace(region, image_id=shown), uid) for region, uid in by_image[image_id]]
        found.append(
            ImageToExport(
                id=shown,
                shape=ref.shape,
                split=str(placement.split),
                labels=ImageLabels(project, labels),
                open_source=partial(project.images.source, image_id),
                group=names.group(placement.group),
                spacing=ref.spacing,
            )
        )
    return found


def _stamp(project: Project, chosen: Sequence[QueuedRegion], saves: Mapping[str, _Save]) -> str:
    said: list[object] = [
        [q.id, q.state, saves[q.id].newest.uid if q.id in saves else None] for q in chosen
    ]
    said += [[answer.image_id, answer.name] for answer in project.image_answers.latest().values()]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()


def _in_words(choice: ExportChoice) -> dict[str, object]:
    facts = asdict(choice)
    for key in ("overwrite", "terms", "pictures"):
        del facts[key]
    if choice.cut != "tiles":
        del facts["tile"], facts["overlap"]
    facts["pseudonyms"] = choice.pseudonyms is not None
    return facts


# --- provenance ----------------------------------------------------------------------------------


def _rows(
    project: Project,
    chosen: Sequence[QueuedRegion],
    saves: Mapping[str, _Save],
    names: _Names,
) -> tuple[RegionRow, ...]:
    proposals = project.regions.proposals()
    return tuple(
        _row(queued, saves.get(queued.id), proposals.get(queued.proposal or ""), names)
        for queued in chosen
    )


def _row(
    queued: QueuedRegion, save: _Save | None, proposal: ProposalFacts | None, names: _Names
) -> RegionRow:
    spent = save.spent if save else Effort()
    shape = "" if queued.shape is None else _packed(queued.shape.bits)
    return RegionRow(
        region=queued.id,
        image=names.image(queued.region.image_id),
        y=queued.region.y,
        x=queued.region.x,
        height=queued.region.height,
        width=queued.region.width,
        state=str(queued.state),
        kind=str(queued.kind),
        annotator=names.annotator(save.newest.annotator) if save else "",
        round=queued.round,
        strategy=proposal.strategy if proposal else "",
        score=queued.information,
        expected_s=queued.cost,
        reason=queued.reason,
        model=(proposal.model_id or "") if proposal else "",
        config_hash=proposal.config_hash if proposal else "",
        active_s=spent.active_s,
        idle_s=spent.idle_s,
        strokes=spent.strokes,
        clicks=spent.clicks,
        undos=spent.undos,
        changed_px=spent.changed_px,
        begun=spent.begun,
        saved_at=_iso(save.newest.saved_at) if save else "",
        draw_probability=queued.draw_probability,
        drawn_from=queued.drawn_from,
        shape=shape,
    )


def _image_rows(project: Project, image_ids: set[str], names: _Names) -> tuple[ImageRow, ...]:
    """Return the classes of those images as a whole."""
    said = project.image_answers.latest()
    return tuple(
        ImageRow(
            names.image(i),
            said[i].name or CANT_TELL,
            names.annotator(said[i].annotator),
            _iso(said[i].at),
            said[i].seconds,
        )
        for i in sorted(image_ids & said.keys())
    )


def _packed(bits: bytes) -> str:
    return base64.b64encode(zlib.compress(bits, 9)).decode("ascii")


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")


class _Names:
    """Names as they are, or pseudonyms."""

    def __init__(
        self,
        project: Project,
        choice: ExportChoice,
        chosen: Sequence[QueuedRegion],
        saves: Mapping[str, _Save],
    ) -> None:
        self._key_file = choice.pseudonyms
        if self._key_file is not None and self._key_file.exists():
            raise ConfigError(f"{self._key_file} exists already; name a new file for the key")
        images = sorted({queued.region.image_id for queued in chosen})
        groups = sorted({project.images.placement(i).group or "" for i in images} - {""})
        said = project.image_answers.latest().values()
        people = sorted({s.newest.annotator for s in saves.values()} | {a.annotator for a in said})
        self._words = {
            "image": _numbered("image", images),
            "group": _numbered("group", groups),
            "annotator": _numbered("annotator", people),
        }

    def image(self, image_id: str) -> str:
        """Return what an image is called."""
        return self._told("image", image_id)

    def annotator(self, name: str) -> str:
        """Return what a person is called."""
        return self._told("annotator", name)

    def group(self, group: str | None) -> str | None:
        """Return what a patient or slide is called."""
        return None if group is None else self._told("group", group)

    def write_key(self) -> None:
        """Write the key of pseudonyms, where they are used."""
        if self._key_file is None:
            return
        self._key_file.parent.mkdir(parents=True, exist_ok=True)
        with self._key_file.open("x", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(("what", "pseudonym", "name"))
            for what, words in self._words.items():
                writer.writerows((what, pseudonym, name) for name, pseudonym in words.items())

    def _told(self, what: str, name: str) -> str:
        return name if self._key_file is None else self._words[what][name]


def _numbered(word: str, names: Sequence[str]) -> dict[str, str]:
    return {name: f"{word}-{number:04}" for number, name in enumerate(names, 1)}


# --- whole targets -------------------------------------------------------------------------------
