"""The papers' settings, as far as they are known, and what a small study says that it changed."""

from pathlib import Path

import pytest

from napari_active_seg.acquisition import get_strategy
from napari_active_seg.errors import ConfigError
from napari_active_seg.learning.networks.registry import network_family
from napari_active_seg.project import SETTINGS
from napari_active_seg.studies import STUDIES, Scale, StudySettings, paper_study
from napari_active_seg.studies.datasets import READERS
from napari_active_seg.studies.paper_results import PUBLISHED

ROOT = Path("data")


def made(name, scale, variant=""):
    return paper_study(name, ROOT, scale, (0, 1, 2), variant)


@pytest.mark.parametrize("scale", Scale)
@pytest.mark.parametrize("name", STUDIES)
def test_every_study_can_be_written_down_and_read(name, scale, tmp_path):
    study = made(name, scale)
    path = tmp_path / "study.json"
    path.write_text(study.as_json())
    assert StudySettings.read(path) == study
    assert study.data.dataset in READERS
    assert study.paper in PUBLISHED
    assert study.changed and all(line.endswith(".") for line in study.changed)
    for arm in study.arms:
        settings = study.settings_of(arm)
        assert set(settings) <= set(SETTINGS)
        network_family(settings["preset"])


def test_regions_are_asked_as_the_calibration_paper_does():
    study = made("glas", Scale.FULL)
    arms = {arm.name: arm for arm in study.arms}
    assert study.start.images == 10 and study.start.balanced and study.validation == 10
    assert study.data.fit.pad == (528, 784)
    assert study.settings["samples"] == 30 and study.settings["restarts"] == 4
    bald = get_strategy(arms["regions-bald"].strategy).with_changes(**arms["regions-bald"].parts)
    assert (bald.size, bald.step, bald.overlap, bald.measure) == (150, 30, True, "bald")
    assert arms["regions-bald"].batch == "20" and arms["images-bald"].batch == "5"
    assert arms["images-varratio"].parts == {"measure": "variation-ratio"}
    isic = made("isic2016", Scale.FULL)
    assert isic.data.fit.size == (384, 512) and isic.start.images == 32
    with pytest.raises(ConfigError, match="few-labels"):
        made("glas", Scale.SMALL, "few-label")
    with pytest.raises(ConfigError, match="no variants at full scale"):
        made("isic2016", Scale.FULL, "few-labels")


@pytest.mark.parametrize("name", ["glas", "isic2016"])
def test_with_few_labels_a_step_costs_as_much_in_regions_as_in_images(name):
    few, many = made(name, Scale.SMALL, "few-labels"), made(name, Scale.SMALL)
    assert few.start.images < many.start.images and few.name != many.name
    assert few.settings == many.settings and few.data == many.data
    assert few.changed[-1] != many.changed[-1] and few.changed[:-1] == many.changed[:-1]
    arms = {arm.name: arm for arm in few.arms}
    an_image = {"glas": 128 * 194, "isic2016": 128 * 128}[name]
    regions, images = arms["regions-bald"].batch, arms["images-bald"].batch
    assert int(regions.removesuffix("px")) == pytest.approx(int(images) * an_image, rel=0.02)
    own = arms["ours"]
    assert own.start.regions * few.size**2 < few.start.images * an_image
    assert own.rounds == few.rounds + 1


@pytest.mark.parametrize("name", ["glas", "isic2016"])
def test_ours_is_chosen_in_seven_ways_and_learns_in_two(name):
    study = made(name, Scale.SMALL)
    arms = {arm.name: arm for arm in study.arms}
    for ending in ("", "-mixed", "-top", "-power", "-power-3", "-per-minute", "-random"):
        alone, more = arms[f"ours{ending}"], arms[f"ours{ending}-unlabelled"]
        assert (alone.strategy, alone.parts) == (more.strategy, more.parts)
        uses = [study.settings_of(arm).get("semi_supervised", "off") for arm in (alone, more)]
        assert uses == ["off", "consistency"]
    assert arms["ours-mixed"].parts["control"] == 0.5
    per_minute, power = arms["ours-per-minute"], arms["ours-power"]
    assert per_minute.strategy == power.strategy and per_minute.parts["beta"] == 1.0
    assert arms["ours-power-3"].strategy == power.strategy
    assert (
        arms["ours-power-3"].parts["inverse_temperature"] == 3.0
        and "inverse_temperature" not in power.parts
    )
    for pair in (("power", "random"), ("power-3", "power"), ("per-minute", "power")):
        assert tuple(f"ours-{word}" for word in pair) in study.pairs
    assert get_strategy(arms["ours-random"].strategy).is_chance
    assert {name for pair in study.pairs for name in pair} <= set(arms)


def test_clicks_are_paid_as_the_paper_on_polygons_does():
    study = made("voc-polygons", Scale.FULL)
    assert study.annotator.tolerance == 10 and study.axis == "clicks"
    assert study.start.clicks == 5000 and study.batch == "5000clicks" and study.rounds == 5
    names = {arm.name for arm in study.arms}
    assert {"Random", "Entropy", "ENS-ent", "LL", "SSL-Random", "SSL-LL", "SSL-D-score"} <= names
    assert {"Random-Image-Random-Polygon", "SSL-Random-Image-Entropy-Polygon"} <= names
    assert {"Consistency-Random", "Consistency-Random-Image-Random-Polygon"} <= names
    entropy = next(arm for arm in study.arms if arm.name == "Entropy")
    strategy = get_strategy(entropy.strategy)
    assert (strategy.aggregate, strategy.threshold) == ("count", 0.6)
    assert made("voc-polygons", Scale.SMALL, "glas").data.dataset == "glas"


@pytest.mark.parametrize(
    ("variant", "dataset", "percent", "budgets"),
    [
        ("21f/10-10", "a2d2-pool-21f", 10, (0.5, 0.3)),
        ("0f/2-2", "a2d2-pool-0f", 2, (0.1, 0.06)),
        ("voc/5-5", "voc", 5, (0.25, 0.15)),
        ("cityscapes/10-10", "cityscapes", 10, (0.5, 0.3)),
    ],
)
def test_pools_have_the_budgets_of_the_realistic_evaluation(variant, dataset, percent, budgets):
    study = made("pools", Scale.FULL, variant)
    assert study.data.dataset == dataset and study.data.copies == 0
    assert study.start.percent == percent and study.batch == f"{percent}%"
    assert study.budgets == pytest.approx(budgets)
    arms = {arm.name: arm for arm in study.arms}
    assert {"Random", "Entropy", "EqualAL", "Core-set", "BALD", "Core-set-MCD"} <= set(arms)
    alone = {name for name in arms if not name.endswith(("-SSL", "-Consistency"))}
    for ending, use in (("", "off"), ("-SSL", "s4gan"), ("-Consistency", "consistency")):
        learned = {
            study.settings_of(arms[f"{n}{ending}"]).get("semi_supervised", "off") for n in alone
        }
        assert learned == {use}
    plain, dropout = (study.settings_of(arms[n])["preset"] for n in ("Entropy", "BALD"))
    assert plain == f"{dropout}/plain"
    assert study.network_of(arms["Entropy"]) != study.network_of(arms["BALD"])
    assert study.network_of(arms["Entropy"]) == study.network_of(arms["Entropy-SSL"])


def test_other_variants_of_pools():
    assert made("pools", Scale.SMALL, "isic2016+copies/5-5").data.copies == 5
    assert made("bcss", Scale.FULL).budgets == pytest.approx((0.05, 0.03))
    for wrong in ("21f", "21f/3-3", "21f+twins/5-5"):
        with pytest.raises(ConfigError, match="POOL/BUDGET"):
            made("pools", Scale.FULL, wrong)
    with pytest.raises(ConfigError, match="a budget is"):
        made("bcss", Scale.FULL, "3-3")
    with pytest.raises(ConfigError, match="did you mean"):
        made("gals", Scale.FULL)


def test_frames_are_thinned_out_in_time_beside_the_methods():
    study = made("a2d2-3k", Scale.FULL)
    arms = {arm.name: arm for arm in study.arms}
    assert arms["Uniform@5+Entropy"].keeps == 5 and arms["Uniform"].strategy == "even-images"
    assert arms["Uniform@5+Entropy-SSL"].keeps == 5 and arms["Uniform-Consistency"].keeps == 1
    assert study.rounds == 2 and study.start.percent == 2.5 and study.batch == "2.5%"
    assert study.start_name(arms["Entropy"]) != study.start_name(arms["Uniform@5+Entropy"])
