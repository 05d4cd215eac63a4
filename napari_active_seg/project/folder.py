"""A project as a folder: ``project.json``, ``project.db``, ``models/`` and ``cache/``."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

from napari_active_seg.errors import ProjectError
from napari_active_seg.images import FoundImage, absolute_path
from napari_active_seg.project.config import ProjectConfig
from napari_active_seg.project.database import Database
from napari_active_seg.project.images_table import ImagesTable, read_schema, write_schema
from napari_active_seg.project.models_table import ModelsTable
from napari_active_seg.project.predictions import PredictionCache
from napari_active_seg.project.records import Split
from napari_active_seg.project.regions_table import RegionsTable
from napari_active_seg.regions import LabelSchema

__all__ = ["Project", "refuse_taken_folder"]

_CONFIG, _DATABASE, _MODELS, _CACHE = "project.json", "project.db", "models", "cache"


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
        self._database = database
        self.images = ImagesTable(database, folder)
        self.regions = RegionsTable(database, clock)
        self.models = ModelsTable(database, folder / _MODELS)
        self.predictions = PredictionCache(folder / _CACHE / "predictions")
        self.schema: LabelSchema = read_schema(database)

    @staticmethod
    def create(
        folder: Path,
        *,
        schema: LabelSchema,
        images: Sequence[FoundImage],
        splits: Mapping[str, Split],
        images_dir: Path,
        masks_dir: Path | None = None,
        seed: int = 0,
        clock: Callable[[], float] = time.time,
    ) -> Project:
        """Make a project folder; it appears whole or not at all.

        Images stay where they are. ProjectError if anything is in ``folder`` already.
        """
        folder = absolute_path(folder)
        refuse_taken_folder(folder)
        config = ProjectConfig(
            name=folder.name,
            created_at=datetime.fromtimestamp(clock(), UTC).isoformat(timespec="seconds"),
            seed=seed,
            images_dir=str(absolute_path(images_dir)),
            masks_dir=None if masks_dir is None else str(absolute_path(masks_dir)),
        )
        building = folder.with_name(f".{folder.name}.new")
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            shutil.rmtree(building, ignore_errors=True)
            (building / _MODELS).mkdir(parents=True)
            database = Database.create(building / _DATABASE)
            try:
                write_schema(database, schema)
                ImagesTable(database, folder).add(images, splits)
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
    def open(folder: Path, *, clock: Callable[[], float] = time.time) -> Project:
        """Return the project in ``folder``; ProjectError if it is none."""
        folder = absolute_path(folder)
        if not (folder / _CONFIG).is_file():
            raise ProjectError(
                f"{folder} is no project: it has no {_CONFIG}; make one with "
                "'napari-active-seg init'"
            )
        config = ProjectConfig.read(folder / _CONFIG)
        return Project(folder, config, Database.open(folder / _DATABASE), clock)

    def close(self) -> None:
        """Let go of the folder; closing twice does no harm."""
        self._database.close()

    def __enter__(self) -> Project:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def refuse_taken_folder(folder: Path) -> None:
    """Raise ProjectError if anything is in ``folder`` already."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ProjectError(
            f"{folder} exists and is not empty; nothing was changed. "
            "Choose another name, or open the project that is there"
        )
