import numpy as np
import pytest

from napari_active_seg.calibration import ReliabilityBins
from napari_active_seg.figures import (
    HtmlReport,
    draw_losses,
    draw_model_history,
    draw_reliability,
    figure_png,
    heatmap_rgb,
    image_png,
    outline_rgb,
)
from napari_active_seg.regions import Region

PNG = b"\x89PNG\r\n"


def test_reliability_bars_are_the_accuracies():
    probs = np.array([[0.9, 0.9, 0.6, 0.6], [0.1, 0.1, 0.4, 0.4]])[:, None]
    bins = ReliabilityBins.empty(5).add(probs, np.array([[0, 1, 0, 0]], np.uint8))
    figure = draw_reliability(bins)
    heights = [bar.get_height() for bar in figure.axes[0].containers[0]]
    assert heights == [0, 0, 1.0, 0, 0.5]
    assert figure.axes[0].get_title() == f"ECE {bins.expected_calibration_error:.3f}"
    assert figure_png(figure).startswith(PNG)


def test_reliability_of_nothing_can_still_be_drawn():
    assert figure_png(draw_reliability(ReliabilityBins.empty(), title="none")).startswith(PNG)


@pytest.mark.parametrize("count", [1, 2, 300])
def test_losses_of_any_length_are_drawn(count):
    figure = draw_losses(np.linspace(1, 0.1, count).tolist())
    assert len(figure.axes[0].lines[0].get_xdata()) == count


def test_history_leaves_gaps_where_a_model_was_not_measured():
    figure = draw_model_history([("m001", {"mean_dice": 0.5, "ece": 0.2}), ("m002", {})])
    dice = figure.axes[0].lines[0].get_ydata()
    assert dice[0] == 0.5
    assert np.isnan(dice[1])


def test_overlays_change_only_what_they_mark():
    image = np.full((20, 30, 3), 100, np.uint8)
    classes = np.zeros((20, 30), np.uint8)
    classes[5:15, 5:15] = 1
    outlined = outline_rgb(image, classes, boxes=[Region("a", 0, 16, 12, 12)])
    assert (outlined[6, 5] == (255, 255, 0)).all()
    assert (outlined[10, 10] == 100).all()
    assert (outlined[0, 20] == (0, 255, 255)).all()
    assert (outlined[6, 22] == 100).all()
    assert (image == 100).all()
    heat = heatmap_rgb(image, np.linspace(0, 1, 600, dtype=np.float32).reshape(20, 30), highest=1)
    assert heat.shape == image.shape
    assert heat[-1, -1].mean() > heat[0, 0].mean()


def test_report_escapes_what_it_is_given(tmp_path):
    report = HtmlReport("<b>slides & co</b>", "lead")
    report.heading("1 < 2")
    report.table(("name", "value"), [("<script>", 0.12345), ("n", 12345)])
    report.facts({"a & b": "<i>"})
    report.picture(image_png(np.zeros((2, 2, 3), np.uint8)), 'a "quoted" caption')
    report.write(tmp_path / "sub" / "r.html")
    page = (tmp_path / "sub" / "r.html").read_text()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "0.123" in page
    assert "12,345" in page
    assert "&quot;quoted&quot;" in page
