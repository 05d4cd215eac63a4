"""Projects with regions to paint in."""

import shutil

import pytest
from tiny_project import add_regions

from napari_active_seg.project import Project


@pytest.fixture
def painted(project_folder):
    """A project with two proposed regions, closed."""
    with Project.open(project_folder) as project:
        add_regions(project, [("img0.png", 0, 0), ("img0.png", 0, 32)])
    return project_folder


@pytest.fixture
def two_copies(painted, tmp_path):
    """Two copies of one project, the second with its images beside it too."""
    other = tmp_path / "other place" / "project"
    shutil.copytree(painted, other)
    shutil.copytree(tmp_path / "data", tmp_path / "other place" / "data")
    return painted, other
