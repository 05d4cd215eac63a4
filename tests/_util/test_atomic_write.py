import pytest

from napari_active_seg._util.atomic_write import atomic_write


def names_in(folder):
    return [path.name for path in folder.iterdir()]


def _write_until_the_disk_is_full(path):
    path.write_text("ha")
    raise OSError("no space")


@pytest.mark.parametrize("lasting", [False, True])
def test_a_file_takes_its_name_when_it_is_whole(tmp_path, lasting):
    path = tmp_path / "new" / "facts.json"
    for text in ("first", "second"):
        with atomic_write(path, lasting=lasting) as begun:
            begun.write_text(text)
            assert not path.exists() or path.read_text() == "first"
        assert path.read_text() == text
    assert names_in(path.parent) == ["facts.json"]


def test_what_was_there_stays_where_writing_fails(tmp_path):
    path = tmp_path / "facts.json"
    path.write_text("old")
    with pytest.raises(OSError, match="no space"), atomic_write(path) as begun:
        _write_until_the_disk_is_full(begun)
    assert path.read_text() == "old" and names_in(tmp_path) == ["facts.json"]


def test_what_is_in_the_way_of_the_new_file_is_told_and_left(tmp_path):
    (tmp_path / "facts.json.new").mkdir()
    with pytest.raises(OSError, match="new"), atomic_write(tmp_path / "facts.json") as begun:
        begun.write_text("new")
    assert names_in(tmp_path) == ["facts.json.new"]


def test_folders_are_made_below_a_root_that_is_there_and_nowhere_else(tmp_path):
    root = tmp_path / "project"
    with pytest.raises(FileNotFoundError), atomic_write(root / "cache" / "a", root=root):
        raise AssertionError("nothing is to be written")
    assert not root.exists()
    root.mkdir()
    with atomic_write(root / "cache" / "a", root=root) as begun:
        begun.write_text("a")
    assert (root / "cache" / "a").read_text() == "a"
