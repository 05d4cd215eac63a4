import pytest

from napari_active_seg.gui.panels.fixed_label import FixedLabel


@pytest.mark.parametrize("lines", [1, 2, 3])
def test_all_lines_of_a_fixed_label_are_seen_in_full(qtbot, lines):
    """A frame, such as a style sheet may give it, made Qt indent the text from the top."""
    label = FixedLabel(lines)
    label.setStyleSheet("QLabel { border: 1px solid black }")
    label.setText("<br>".join(["one line"] * lines))
    label.resize(300, label.height())
    qtbot.addWidget(label)
    label.show()
    assert label.heightForWidth(300) <= label.height() + 3
