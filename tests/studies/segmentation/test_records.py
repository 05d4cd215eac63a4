import pytest

from napari_active_seg._util.jsonl import add_line, read_lines, read_lines_by_key
from napari_active_seg.errors import BadInputError
from napari_active_seg.studies.segmentation import RoundRecord, read_records
from napari_active_seg.studies.segmentation.record import append_record


def record(number):
    return RoundRecord(
        "a", 0, number, 1, 1, 10, 0.1, {"s": 0.5}, reliability=((0.5, 0.4, 7),), losses=(1.0, 0.5)
    )


def test_records_come_back_as_they_were(tmp_path):
    path = tmp_path / "deep" / "rounds.jsonl"
    assert read_records(path) == ()
    for number in range(3):
        append_record(path, record(number))
    assert read_records(path) == tuple(record(number) for number in range(3))


@pytest.mark.parametrize("cut", [1, 10, 40])
def test_half_a_line_is_as_if_it_were_not_there(tmp_path, cut):
    path = tmp_path / "rounds.jsonl"
    append_record(path, record(0))
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:-cut])
    assert read_records(path) == (record(0),)
    append_record(path, record(1))
    assert read_records(path) == (record(0), record(1))


def test_rubbish_between_lines_is_refused(tmp_path):
    path = tmp_path / "rounds.jsonl"
    path.write_text('{"a": 1}\nrubbish\n{"a": 2}\n')
    with pytest.raises(BadInputError, match="line 2"):
        read_lines(path)
    path.write_text('{"a": 1}\n')
    with pytest.raises(BadInputError, match="something else"):
        read_records(path)


def test_the_last_line_of_a_kind_counts(tmp_path):
    path = tmp_path / "x.jsonl"
    for value in (1, 2):
        add_line(path, {"round": 1, "value": value})
    assert read_lines_by_key(path, "round") == {1: {"round": 1, "value": 2}}
