import errno
import os

import pytest

from napari_active_seg.errors import describe_disk_error


def test_what_a_disk_refuses_is_said_with_its_remedy(tmp_path):
    with pytest.raises(FileNotFoundError) as missing:
        (tmp_path / "no" / "file").read_text()
    told = describe_disk_error(missing.value)
    assert told is not None and told.startswith(f"{tmp_path / 'no' / 'file'}: ")
    assert told.endswith("; check the name, and that its folder is there")
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))  # of a write: nobody knows of what
    assert describe_disk_error(full) == f"{os.strerror(errno.ENOSPC)}; free disk space"


@pytest.mark.parametrize(
    "error",
    [
        ValueError("no"),
        OSError("no"),
        OSError(errno.ENOENT, "No such file"),
        TimeoutError(110, "x"),
    ],
)
def test_other_errors_are_not_the_disks(error):
    assert describe_disk_error(error) is None
