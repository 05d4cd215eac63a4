import re
from dataclasses import replace

import pytest

from napari_active_seg.errors import BadInputError
from napari_active_seg.figures import Curve
from napari_active_seg.metrics import auc_at_budget
from napari_active_seg.studies import ArmSettings, DataSettings, StartSettings, StudySettings
from napari_active_seg.studies.segmentation import ALL_LABELS, RoundRecord
from napari_active_seg.studies.segmentation.curves import full_label_lines, in_groups, study_curves
from napari_active_seg.studies.segmentation.report import study_report
from napari_active_seg.studies.segmentation.results import summary_of

ARMS = (("uncertain-regions", 0.05), ("random-regions", 0.02))


def records():
    made = [
        RoundRecord(ALL_LABELS, s, 0, 9, 9, 90000, 1.0, {"mean_dice": 0.8 + 0.02 * s}, family="f")
        for s in (0, 1)
    ]
    for arm, gain in ARMS:
        for seed in (0, 1):
            made += [
                RoundRecord(
                    arm, seed, k, 8 * (k + 1), k + 1, 1000 * (k + 1), 0.05 * (k + 1),
                    {
                        "mean_dice": 0.6 + gain * k + 0.01 * seed, "mean_jaccard": 0.5, "nll": 0.5,
                        "ece": 0.1 / (k + 1), "brier": 0.3, "brier_reliability": 0.01,
                    },
                    measure="bald", family="f", clicks=100 * (k + 1), seconds=60.0 * (k + 1),
                    reliability=((0.55, 0.5, 100), (0.95, 0.9, 900)),
                    losses=tuple(1 / (t + 1) for t in range(10)),
                    bound=0.7, selected=(1, 2, 3, 4), rest=(10, 5, 1, 0),
                )
                for k in range(4)
            ]  # fmt: skip
    return made


def study(**more):
    return StudySettings.parse(
        name="a-study",
        data=DataSettings(classes=("a", "b")),
        start=StartSettings(regions=8),
        seeds=(0, 1),
        arms=tuple(ArmSettings(name=arm, strategy=arm) for arm, _ in ARMS),
        **more,
    )


def test_curves_are_means_over_seeds_with_a_deviation_either_way():
    first, second = study_curves(records(), "mean_dice")
    assert (first.label, second.label) == ("uncertain-regions", "random-regions")
    assert first.x == pytest.approx([5, 10, 15, 20])
    assert first.y == pytest.approx([0.605, 0.655, 0.705, 0.755])
    spread = 0.01 / 2**0.5
    assert first.high - first.y == pytest.approx([spread] * 4)
    (single, *_) = study_curves([r for r in records() if r.seed == 0], "mean_dice")
    assert single.low is None
    assert study_curves(records(), "object_f1") == []
    (clicks, _) = study_curves(records(), "mean_dice", axis="clicks")
    assert clicks.x == pytest.approx([100, 200, 300, 400])


def test_lines_of_all_labels_name_their_network_where_there_are_several():
    assert full_label_lines(records(), "mean_dice") == {
        "all labels (0.810 ± 0.014)": pytest.approx(0.81)
    }
    other = [replace(r, family="g") for r in records() if r.arm in ("random-regions", ALL_LABELS)]
    other = [replace(r, scores={"mean_dice": 0.5}) if r.arm == ALL_LABELS else r for r in other]
    both = [r for r in records() if r.arm != "random-regions"] + other
    assert full_label_lines(both, "mean_dice") == {
        "all labels, uncertain-regions (0.810 ± 0.014)": pytest.approx(0.81),
        "all labels, random-regions (0.500 ± 0.000)": 0.5,
    }
    unknown = [r for r in both if r.arm != ALL_LABELS or r.family == "g"]
    assert list(full_label_lines(unknown, "mean_dice")) == ["all labels (0.500 ± 0.000)"]


def test_many_curves_are_grouped_by_what_they_share():
    curves = [Curve(name, [0.0], [0.0]) for name in "abcdefghijk"]
    assert in_groups(curves[:6], {}) == [curves[:6]]
    shared = {name: name in "bdk" for name in "abcdefghijk"}
    groups = [[curve.label for curve in group] for group in in_groups(curves, shared)]
    assert groups == [list("acef"), list("ghij"), list("bdk")]


def test_report_of_many_arms_holds_where_some_lack_a_score(tmp_path):
    names = [f"arm-{k}" for k in range(7)]
    one = [r for r in records() if r.arm == ARMS[0][0]]
    lacking = [replace(r, scores={k: v for k, v in r.scores.items() if k != "nll"}) for r in one]
    made = [replace(r, arm=n) for n in names for r in (one if n == names[0] else lacking)]
    arms = tuple(ArmSettings(name=n, strategy="random-regions") for n in names)
    asked = study().model_copy(update={"arms": arms})
    study_report(asked, made, device="CPU").write_all(tmp_path)
    assert len(list((tmp_path / "figures").glob("*nll-ece*.png"))) == 1


def test_report_holds_everything_in_one_file_without_links(tmp_path):
    page = tmp_path / "report.html"
    study_report(study(paper="glas"), records(), device="CPU", notes=("Patients.",)).write(page)
    text = page.read_text()
    assert not re.search(r"(src|href)=.?(http|//|file)", text)
    assert text.count("data:image/png;base64") == 3 + 4 + 2  # curves, reliability, selected
    assert "@media print" in text
    assert "29.39" in text  # the paper's figures beside ours
    assert "Patients." in text and "Fewer than three seeds" in text
    areas = [
        auc_at_budget([0.05, 0.1, 0.15, 0.2], [0.6 + 0.05 * k + 0.01 * s for k in range(4)])
        for s in (0, 1)
    ]
    assert f"{sum(areas) / 2:.3f} ±" in text
    assert "15.0 ± 0.0" in text  # per cent of pixels at which 70 % was reached
    assert "not reached" in text
    with pytest.raises(BadInputError, match="nothing to report"):
        study_report(study(), [], device="CPU")


def test_arms_of_too_few_seeds_are_named(tmp_path):
    third = [replace(r, seed=2) for r in records() if r.seed == 1 and r.arm != ARMS[1][0]]
    study_report(study(), [*records(), *third], device="CPU").write_all(tmp_path)
    text = (tmp_path / "report.md").read_text()
    assert "a direction and no result: random-regions." in text
    assert "Fewer than three seeds" not in text
    whole = [replace(r, seed=2) for r in records() if r.seed == 1]
    study_report(study(), [*records(), *whole], device="CPU").write_all(tmp_path)
    assert "a direction" not in (tmp_path / "report.md").read_text()


def test_cost_is_told_in_minutes_beside_the_axis_of_the_study(tmp_path):
    pair = ("uncertain-regions", "random-regions")
    slow = [replace(r, seconds=2 * r.seconds) if r.arm == pair[0] else r for r in records()]
    asked = study(levels=(0.65,), shares=(0.8,), pairs=(pair,))
    study_report(asked, slow, device="CPU").write_all(tmp_path)
    text = (tmp_path / "report.md").read_text()
    assert re.search(r"pixels over pixels.*\n.*\n\|[^|]*\| 0.58 ± 0.12", text)  # 10/20, 10/15
    assert re.search(r"minutes over minutes.*\n.*\n\|[^|]*\| 1.17 ± 0.24", text)
    assert "## Cost to reach a score: minutes of the simulated annotator" in text
    assert "a click 1.2 s" in text and "not measured on a person" in text
    found = summary_of(asked, slow)
    assert found[pair[0]]["minutes to reach"]["0.65"]["mean"] == pytest.approx(4)
    assert found[pair[0]]["clicks to reach"]["0.65"]["mean"] == pytest.approx(200)
    over = found["minutes over minutes"]["uncertain-regions / random-regions"]
    assert over["80% of all labels"]["mean"] == pytest.approx(7 / 6)
    assert "\n|  | mean\\_dice 0.65 | 80% of all labels |\n" in text
    assert "\n| uncertain-regions | 10.0 ± 0.0 | 10.0 ± 0.0 |\n" in text
    alone = [r for r in slow if r.arm != ALL_LABELS]
    study_report(study(levels=()), alone, device="CPU").write_all(tmp_path)
    assert "## Cost to reach" not in (tmp_path / "report.md").read_text()
    in_minutes = study(axis="minutes", levels=(0.65,))
    study_report(in_minutes, slow, device="CPU").write_all(tmp_path)
    assert (tmp_path / "report.md").read_text().count("## Cost to reach") == 1


def test_summary_tells_costs_at_shares_of_the_full_label_score():
    found = summary_of(study(shares=(0.9,), budgets=(0.1,)), records())["uncertain-regions"]
    assert found["all labels"]["mean"] == pytest.approx(0.81)
    reached = found["percent of pixels to reach"]
    assert reached["90% of all labels"]["mean"] == pytest.approx(20)  # 0.729 is first passed there
    assert reached["0.9"]["n"] == 0
    assert found["mean_dice@10.0"]["mean"] == pytest.approx(0.655)
    assert found["AUC@10.0"]["mean"] == pytest.approx(100 * 0.05 * (0.605 + 0.655) / 2)
