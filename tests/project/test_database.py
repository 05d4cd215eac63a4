"""The database by itself: what it does with a file that it refuses."""

import sqlite3
from contextlib import closing

import pytest

from napari_active_seg.errors import ProjectError
from napari_active_seg.project.database import Database


@pytest.mark.parametrize("read_only", [False, True])
@pytest.mark.parametrize("harm", ["nonsense", "foreign", "newer", "pages"])
def test_a_file_that_is_refused_is_let_go_of(tmp_path, monkeypatch, read_only, harm):
    """A connection that stays open keeps the file from being replaced on Windows."""
    path = tmp_path / "project.db"
    Database.create(path).close()
    if harm == "pages":  # what SQLite notices only when it looks
        content = bytearray(path.read_bytes())
        content[100:] = b"\x55" * (len(content) - 100)
        path.write_bytes(bytes(content))
    elif harm == "nonsense":
        path.write_bytes(b"SQLite format 3\0" + b"\x01" * 84)
    else:
        with closing(sqlite3.connect(path)) as connection:
            pragma = "application_id" if harm == "foreign" else "user_version"
            connection.execute(f"PRAGMA {pragma} = 99999")
            connection.commit()
    connect, made = sqlite3.connect, []

    def counted(*arguments, **options):
        made.append(connect(*arguments, **options))
        return made[-1]

    monkeypatch.setattr(sqlite3, "connect", counted)
    with pytest.raises(ProjectError):
        Database.open(path, read_only=read_only)
    for connection in made:
        with pytest.raises(sqlite3.ProgrammingError, match="closed"):
            connection.execute("SELECT 1")
