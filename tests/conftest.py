"""Fixtures that several rooms share; Qt, torch and napari are imported by nobody here."""

import pytest
from hypothesis import settings

# Machines differ and are busy: how long an example takes says nothing about its outcome.
settings.register_profile("steady", deadline=None)
settings.load_profile("steady")


@pytest.fixture
def pool(tmp_path):
    """A folder with images/ and masks/ of four small pictures."""
    from tiny_data import write_pool

    return write_pool(tmp_path / "data")


@pytest.fixture
def project_folder(tmp_path, pool):
    """A project of the pool with one labelled validation image."""
    from napari_active_seg.session.create_project import ImageSettings, create_project

    return create_project(
        tmp_path / "project",
        images_dir=pool / "images",
        classes=("background", "disk"),
        masks_dir=pool / "masks",
        settings=ImageSettings(val_fraction=0.25),
    ).folder


@pytest.fixture
def session(project_folder):
    """An open session over fakes that runs every job in line."""
    from fakes import FakeSegmenters

    from napari_active_seg.jobs import InlineRunner
    from napari_active_seg.project import Project
    from napari_active_seg.session import Session

    opened = Session(Project.open(project_folder), FakeSegmenters(), InlineRunner())
    yield opened
    opened.close()
