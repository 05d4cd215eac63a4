import numpy as np
import pytest

from napari_active_seg.calibration import ErrorsByUncertainty, ReliabilityBins, SelectedAndRest
from napari_active_seg.figures import (
    Curve,
    Mark,
    Report,
    draw_curves,
    draw_errors_by_uncertainty,
    draw_grouped_panels,
    draw_groups,
    draw_learning_curve,
    draw_losses,
    draw_model_history,
    draw_panels,
    draw_reliability,
    draw_selected_and_rest,
    draw_sparsification,
    draw_trade_off,
    figure_png,
    heatmap_rgb,
    image_png,
    outline_rgb,
)
from napari_active_seg.metrics import fit_curve
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
    report = Report("<b>slides & co</b>", "lead")
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


def test_as_markdown_a_report_has_charts_and_nobodys_pictures(tmp_path):
    report = Report("A study", "seeds 0, 1")
    report.heading("Scores")
    report.table(("arm_one", "n"), [("a|b", 12345), ("*c*", 0.12345)])
    report.facts({"x": 1})
    report.picture(image_png(np.zeros((2, 2, 3), np.uint8)), "a person")
    report.chart(draw_losses([2.0, 1.0]), "How it fell", width=300)
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "01-old.png").write_bytes(b"old")
    report.write_all(tmp_path)
    lines = (tmp_path / "report.md").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "# A study"
    assert lines[lines.index("## Scores") + 2 :][:4] == [
        "| arm\\_one | n |",
        "| --- | --- |",
        "| a&#124;b | 12,345 |",
        "| \\*c\\* | 0.123 |",
    ]
    assert "| x | 1 |" in lines
    links = [line for line in lines if line.startswith("![")]
    assert links == ["![How it fell](figures/02-how-it-fell.png)"]
    names = sorted(path.name for path in (tmp_path / "figures").iterdir())
    assert names == ["01-a-person.png", "02-how-it-fell.png"]
    assert "How it fell" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_reliability_shows_counts_a_band_over_images_and_the_calibrated_line():
    rng = np.random.default_rng(0)
    images = []
    for _ in range(5):
        p = rng.random((1, 400)).astype(np.float32)
        truth = (rng.random((1, 400)) < 0.3 + 0.4 * p).astype(np.uint8)
        images.append(ReliabilityBins.empty(10).add(np.stack([1 - p, p]), truth))
    by_image = ReliabilityBins(
        np.stack([b.counts for b in images]),
        np.stack([b.confidence_sums for b in images]),
        np.stack([b.hits for b in images]),
    )
    total = sum(images[1:], images[0])
    figure = draw_reliability(total, by_image=by_image, calibrated=images[0])
    upper, lower = figure.axes
    labels = [text.get_text() for text in upper.get_legend().get_texts()]
    assert "95 % over images" in labels
    assert any(label.startswith("calibrated: ECE") for label in labels)
    written = [text.get_text() for text in lower.texts]
    assert written == [str(n) if n < 1000 else f"{n / 1000:.0f}k" for n in total.counts if n]


def test_bands_of_curves_reach_as_far_as_they_say():
    curve = Curve.over_runs("a", [([1, 2], [0.5, 0.6]), ([1, 2], [0.7, 0.8])])
    assert curve.y == pytest.approx([0.6, 0.7])
    assert curve.high - curve.y == pytest.approx([np.std([0.5, 0.7], ddof=1)] * 2)
    figure = draw_curves([curve], x_title="x", y_title="y", lines={"all labels": 0.9})
    band = figure.axes[0].collections[0].get_paths()[0].vertices
    assert band[:, 1].min() == pytest.approx(min(curve.low))
    assert band[:, 1].max() == pytest.approx(max(curve.high))
    assert figure.axes[0].texts[0].get_text() == "all labels"


def test_curves_stay_apart_without_colour():
    curves = [Curve(str(k), [0, 1], [k, k]) for k in range(4)]
    lines = draw_curves(curves, x_title="x", y_title="y").axes[0].lines
    assert len({(line.get_marker(), line.get_linestyle()) for line in lines}) == 4
    assert len(draw_panels({"one": curves, "two": curves[:1]}, x_title="x").axes) == 2


@pytest.mark.parametrize("count", [5, 9])
def test_names_of_many_curves_stand_beside_them(count):
    curves = [Curve(str(k), [0, 1], [k, k]) for k in range(count)]
    for figure in (
        draw_curves(curves, x_title="x", y_title="y"),
        draw_panels({"one": curves, "two": curves}, x_title="x"),
    ):
        legend = figure.legends[0] if count > 5 else figure.axes[0].get_legend()
        assert [text.get_text() for text in legend.get_texts()] == list(map(str, range(count)))
        figure.draw_without_rendering()
        names, axes = legend.get_window_extent(), figure.axes[-1].get_window_extent()
        assert (names.x0 > axes.x1) == (count > 5) and names.x1 <= figure.bbox.x1


def test_groups_of_curves_share_a_scale_and_lie_grey_behind_each_other():
    curves = [Curve(str(k), [0, k + 1], [k, k], [k, k - 1], [k, k + 1]) for k in range(7)]
    groups = [curves[:3], curves[3:5], curves[5:6], curves[6:]]
    figure = draw_groups(groups, x_title="x", y_title="y", lines={"all labels": 6.5})
    shown = [axes for axes in figure.axes if axes.axison]
    assert len(shown) == 4 and len({(axes.get_xlim(), axes.get_ylim()) for axes in shown}) == 1
    for axes, group in zip(shown, groups, strict=True):
        names = [text.get_text() for text in axes.get_legend().get_texts()]
        assert names == [curve.label for curve in group]
        grey = [line for line in axes.lines if line.get_color() == "0.85"]
        assert len(grey) == len(curves) - len(group) and len(axes.collections) == len(group)
        assert axes.texts[0].get_text() == "all labels"
    figure.draw_without_rendering()
    for axes in shown:
        assert axes.get_legend().get_window_extent().y1 < axes.get_window_extent().y0
    long = [[Curve("a name that is rather long", [0], [0])], curves[:1]]
    named = draw_groups(long, x_title="x", y_title="y", titles=("one", "two"))
    assert [axes.get_title() for axes in named.axes] == ["one", "two"]
    named.draw_without_rendering()
    names = named.axes[0].get_legend().get_window_extent()
    assert names.x0 > 0 and names.x1 < named.bbox.width / 2
    alone = draw_groups(groups[:1], x_title="x", y_title="y")
    assert len(alone.axes) == 1 and alone.axes[0].get_ylabel() == "y"


def test_panels_of_groups_share_a_scale_in_their_column():
    low, high = ([Curve(f"{k} {top}", [0, 1], [top, k]) for k in range(3)] for top in (4, 9))
    figure = draw_grouped_panels({"one": [low, high], "ten": [high, low]}, x_title="x")
    (a, b), (c, d) = (figure.axes[:2], figure.axes[2:])
    assert a.get_ylim() == c.get_ylim() and b.get_ylim() == d.get_ylim()
    assert a.get_ylim()[0] == 0 and a.get_ylim()[1] > 9
    assert [axes.get_title() for axes in (a, b, c, d)] == ["one", "ten", "", ""]
    names = [[text.get_text() for text in axes.get_legend().get_texts()] for axes in (b, d)]
    assert names == [[curve.label for curve in group] for group in (high, low)]
    figure.draw_without_rendering()
    assert b.get_legend().get_window_extent().x0 > b.get_window_extent().x1
    assert len(draw_grouped_panels({"one": [low], "ten": [high]}, x_title="x").axes) == 2


def test_selected_and_rest_are_shares_of_their_own():
    values = np.linspace(0, 0.69, 100).reshape(10, 10)
    mask = values > 0.5
    bins = SelectedAndRest.empty(0.7, 7).add(values, mask)
    axes = draw_selected_and_rest(bins, measure="BALD").axes[0]
    rest, selected = ([bar.get_height() for bar in group] for group in axes.containers)
    assert sum(rest) == pytest.approx(1) and sum(selected) == pytest.approx(1)
    assert axes.get_yscale() == "log"


def test_errors_by_tenth_and_the_oracle():
    rng = np.random.default_rng(1)
    values = rng.random((50, 50))
    wrong = rng.random((50, 50)) < values
    errors = ErrorsByUncertainty.empty(1.0).add(
        values, wrong.astype(np.uint8), np.zeros((50, 50), np.uint8)
    )
    bars = draw_errors_by_uncertainty(errors, measure="entropy").axes[0].containers[0]
    assert [bar.get_height() for bar in bars] == pytest.approx(errors.rates_by_share(10))
    axes = draw_sparsification({"entropy": errors}).axes[0]
    assert axes.lines[0].get_ydata()[0] == pytest.approx(errors.error_rate)
    oracle = axes.lines[1]
    area = np.trapezoid(oracle.get_ydata(), oracle.get_xdata())
    assert area == pytest.approx(errors.area_of_oracle, abs=0.01)


def test_a_learning_curve_looks_ahead_with_a_band():
    x, y = [5.0, 10.0, 20.0, 30.0], [0.6, 0.7, 0.77, 0.8]
    figure = draw_learning_curve(x, y, unit="minutes", fit=fit_curve(x, y), step=10.0)
    fitted = figure.axes[0].lines[1]
    assert fitted.get_xdata()[-1] == 40
    assert fitted.get_ydata()[-1] >= fitted.get_ydata()[0]
    assert figure_png(draw_learning_curve([], [], unit="pixels")).startswith(PNG)


def test_a_trade_off_shows_means_and_deviations_a_panel_a_time():
    marks = [Mark("a", [10, 20], [0.8, 0.9]), Mark("b", [40], [0.7])]
    figure = draw_trade_off(
        {"half-way": marks, "at the end": marks}, paid_title="cost", gained_title="accuracy"
    )
    left, right = figure.axes
    assert (left.get_title(), right.get_title()) == ("half-way", "at the end")
    middle, caps, bars = left.containers[0]
    assert middle.get_xydata().ravel() == pytest.approx([15, 0.85])
    assert len(caps) == 4 and len(bars) == 2
    across = bars[0].get_segments()[0][:, 0]
    assert across == pytest.approx([15 - 50**0.5, 15 + 50**0.5])
    assert [t.get_text() for t in right.get_legend().get_texts()] == ["a", "b"]
    assert figure_png(figure).startswith(PNG)
