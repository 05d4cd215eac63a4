"""A project as a folder: ``project.json``, ``project.db``, ``models/`` and ``cache/``."""

from __future__ import annotations

import logging
import shutil
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

from napari_active_seg.errors import ProjectError
from napari_active_seg.images import FoundImage, absolute_path
from napari_active_seg.project.classes_table import ClassesTable
from napari_active_seg.project.config import ProjectConfig, migrate_file
from napari_active_seg.project.database import Database
from napari_active_seg.project.event_log import EventsTable
from napari_active_seg.project.image_labels import ImageAnswers
from napari_active_seg.project.images_table import ImagesTable
from napari_active_seg.project.labels_table import LabelsTable
from napari_active_seg.project.models_table import ModelsTable
from napari_active_seg.project.prediction_cache import PredictionCache
from napari_active_seg.project.pseudonym_key import KeyFile
from napari_active_seg.project.records import Placement
from napari_active_seg.project.regions_table import RegionsTable
from napari_active_seg.project.write_lock import (
    LockHolder,
    acquire_write_lock,
    current_holder,
    release_write_lock,
)
from napari_active_seg.regions import ClassRegistry, LabelSchema

__all__ = ["Project", "check_folder_free"]

_log = logging.getLogger(__name__)
_CONFIG, _DATABASE, _MODELS, _CACHE = "project.json", "project.db", "models", "cache"
_BACKUPS = "backups"


class Project:
    """An open project; close it, or use it in a ``with`` statement."""

    def __init__(
        self,
        folder: Path,
        config: ProjectConfig,
        database: Database,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.folder = folder
        self.config = config
        self.clock = clock
        self.database = database
        key = None if config.key_file is None else KeyFile(absolute_path(folder / config.key_file))
        checked = folder / _CACHE / "checked.json"
        self.images = ImagesTable(database, folder, clock, key, checked)
        self.classes = ClassesTable(database, clock)
        self.regions = RegionsTable(database, clock)
        self.labels = LabelsTable(database, self.regions, self.classes, clock)
        self.models = ModelsTable(database, folder / _MODELS)
        self.events = EventsTable(database, clock)
        self.image_answers = ImageAnswers(self.events)
        self.predictions = PredictionCache(folder / _CACHE / "predictions")

    def __reduce__(self) -> tuple[Callable[[Path], Project], tuple[Path]]:
        """Cross to another process as a read-only view of the same folder."""
        return _to_read, (self.folder,)

    @staticmethod
    def create(
        folder: Path,
        *,
        schema: LabelSchema,
        images: Sequence[FoundImage],
        splits: Mapping[str, Placement],
        images_dir: Path | None = None,
        masks_dir: Path | None = None,
        key_file: Path | None = None,
        seed: int = 0,
        annotator: str = "annotator",
        region_size: int = 128,
        clock: Callable[[], float] = time.time,
    ) -> Project:
        """Create a project folder; it appears whole or not at all.

        Images stay where they are. With ``key_file`` their paths are written there alone.
        ProjectError if anything is in ``folder`` already.
        """
        folder = absolute_path(folder)
        check_folder_free(folder)
        config = ProjectConfig(
            name=folder.name,
            created_at=datetime.fromtimestamp(clock(), UTC).isoformat(timespec="seconds"),
            project_uid=uuid.uuid4().hex,
            seed=seed,
            images_dir="" if images_dir is None or key_file else str(absolute_path(images_dir)),
            masks_dir=None if masks_dir is None or key_file else str(absolute_path(masks_dir)),
            key_file=None if key_file is None else str(absolute_path(key_file)),
            annotator=annotator,
            region_size=region_size,
        )
        building = folder.with_name(f".{folder.name}.new")
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            shutil.rmtree(building, ignore_errors=True)
            (building / _MODELS).mkdir(parents=True)
            database = Database.create(building / _DATABASE)
            try:
                book = ClassRegistry.new(schema)
                ClassesTable(database, clock).change(book, what="made", annotator=annotator)
                key = None if key_file is None else KeyFile(absolute_path(key_file))
                ImagesTable(database, folder, clock, key).add(images, splits)
                EventsTable(database, clock).add("made", folder.name, annotator=annotator)
            finally:
                database.close()
            config.write(building / _CONFIG)
            if folder.exists():
                folder.rmdir()
            building.rename(folder)
        except OSError as error:
            raise ProjectError(
                f"{folder} could not be made ({error.strerror or error}); "
                "check the disk and that its parent may be written to"
            ) from error
        finally:
            shutil.rmtree(building, ignore_errors=True)
        return Project.open(folder, clock=clock)

    @staticmethod
    def open(
        folder: Path,
        *,
        read_only: bool = False,
        take_over: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> Project:
        """Open the project in ``folder``.

        Parameters
        ----------
        folder
            The project folder.
        read_only
            Open it without write access, also while another process writes to it.
        take_over
            Take the write access from a process that is gone for certain.
        clock
            Returns the time of new records, in seconds since the epoch.

        Raises
        ------
        ProjectError
            If ``folder`` is not a project, or is damaged.
        ProjectHeldError
            If another process writes to the project.
        """
        folder = absolute_path(folder)
        if not (folder / _CONFIG).is_file():
            raise ProjectError(
                f"{folder} is not a project: it has no {_CONFIG}; make one with "
                "'napari-active-seg init'"
            )
        config = ProjectConfig.read(folder / _CONFIG)
        database = Database.open(folder / _DATABASE, read_only=read_only)
        try:
            if not read_only:
                left = acquire_write_lock(database, folder, take_over=take_over)
                if left is not None:
                    _log.info("the writer's place of %s was free to take", left.description)
                migrate_file(folder / _CONFIG, folder / _BACKUPS)
            return Project(folder, config, database, clock)
        except BaseException:
            database.close()
            raise

    @property
    def schema(self) -> LabelSchema:
        """The current classes."""
        return self.classes.current.schema

    @property
    def read_only(self) -> bool:
        """Whether nothing can be changed."""
        return self.database.read_only

    def check_writable(self) -> None:
        """Raise ProjectError if nothing can be changed, before any work is done in vain."""
        if self.read_only:
            raise ProjectError(
                f"{self.folder} was opened read-only; nothing can be changed. "
                "Open it for writing once nobody else does"
            )

    @property
    def unfinished(self) -> Path:
        """Folder of training checkpoints; it may be deleted."""
        return self.folder / _CACHE / "training"

    @property
    def looks(self) -> Path:
        """File of image embeddings; it may be deleted."""
        return self.folder / _CACHE / "looks.json"

    @property
    def bookmark(self) -> Path:
        """File of the last view on the images; it may be deleted."""
        return self.folder / _CACHE / "place.json"

    @property
    def holder(self) -> LockHolder | None:
        """Who writes to this project now."""
        return current_holder(self.database, self.folder)

    def configure(self, /, **changes: object) -> None:
        """Change settings and save them; ConfigError names an invalid one."""
        config = self.config.with_changes(**changes)
        self.events.add("settings", annotator=config.annotator, facts=changes)
        config.write(self.folder / _CONFIG)
        self.config = config

    def close(self) -> None:
        """Release the folder; closing twice does no harm."""
        if not self.database.closed and not self.read_only:
            try:
                release_write_lock(self.database)
            except ProjectError as error:  # taken over, or the drive is gone: nothing to give back
                _log.info("the writer's place was not given back: %s", error)
        self.database.close()

    def __enter__(self) -> Project:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _to_read(folder: Path) -> Project:
    return Project.open(folder, read_only=True)


def check_folder_free(folder: Path) -> None:
    """Raise ProjectError if anything is in ``folder`` already."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ProjectError(
            f"{folder} exists and is not empty; nothing was changed. "
            "Choose another name, or open the project that is there"
        )
