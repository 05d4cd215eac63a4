"""The first answer in at most four lines: which evidence it takes, and how it puts it."""

import math
from dataclasses import replace

import numpy as np
import pytest

from napari_active_seg.acquisition import required_sample_size
from napari_active_seg.calibration import ErrorsByUncertainty, ProbabilityScores, ReliabilityBins
from napari_active_seg.metrics import ConfusionMatrix, EvalReport, ImageScores, scores_by_group
from napari_active_seg.session.trust.summary import (
    Evidence,
    EvidenceSource,
    TrustFacts,
    summarise_trust,
)

#: Dice of single images that scatter as those of histology do.
SCATTERED = (0.62, 0.70, 0.75, 0.78, 0.80, 0.83, 0.86, 0.88, 0.91)


def image_with(name, dice, *, confidence=0.9):
    """Return an image of 2,000 pixels whose Dice is ``dice`` for both classes."""
    right = round(1000 * dice)
    confusion = np.array([[right, 1000 - right], [1000 - right, right]])
    bins = ReliabilityBins.empty()
    place = int(np.ceil(confidence * 15)) - 1
    for values, amount in (
        (bins.counts, 2000),
        (bins.confidence_sums, 2000 * confidence),
        (bins.hits, 2 * right),
    ):
        values[place] = amount
    return ImageScores(name, ConfusionMatrix(confusion), ProbabilityScores(2000, 1.0, 1.0), bins)


def report_of(dice=SCATTERED, **more):
    images = tuple(image_with(f"i{k}", value, **more) for k, value in enumerate(dice))
    return EvalReport(("background", "gland"), images)


def evidence(source=EvidenceSource.CROSS_VALIDATION, dice=SCATTERED, **more):
    asked = {"groups": {}, "n_regions": 20, "left": 100, **more}
    confidence = asked.pop("confidence", 0.9)
    return Evidence(source, report_of(dice, confidence=confidence), **asked)


def facts(*found, **more):
    asked = {"n_regions": 20, "n_images": 9, "n_folds": 5, "n_controls_missing": 25, **more}
    return TrustFacts("m003", tuple(found), **asked)


def answers(known):
    lines = summarise_trust(known)
    assert 2 <= len(lines) <= 4
    return {line.key: line.answer for line in lines}


def test_there_is_always_an_answer():
    (score, following) = summarise_trust(TrustFacts(None, why_not="finish regions, then train"))
    assert score.text == "How good is the model? There is no model yet"
    assert following.text == "Next: finish regions, then train"
    lines = summarise_trust(facts())
    assert [line.text for line in lines] == [
        "How good is m003? Not measured yet",
        "Calibrated? Not checked yet",
        "To find out: estimate it from the 20 finished regions on 9 images (cross-validation: 5 "
        "trainings, each tested on images that it has not seen)",
    ]
    assert answers(facts(why_not="finish a region on another image"))["next"] == (
        "finish a region on another image"
    )


def test_cross_validation_is_put_with_its_interval_and_its_bias():
    known = evidence(n_chosen=12)
    found = known.estimates["image_mean_dice"]
    answer = answers(facts(known))["score"]
    assert answer == (
        f"Dice about {found.value:.2f} (95 % CI {found.low:.2f} to {found.high:.2f}), "
        "cross-validated over 9 images, 20 regions. 12 of the regions were chosen as difficult: "
        "elsewhere the model may be better"
    )
    assert found.value == pytest.approx(np.mean(SCATTERED))
    every = answers(facts(evidence(n_chosen=20)))["score"]
    assert "The regions were chosen as difficult" in every
    assert "were not drawn at random" in answers(facts(evidence()))["score"]
    random = answers(facts(evidence(n_random=20)))["score"]
    assert "chosen" not in random and "not drawn" not in random


def test_random_regions_are_reported_apart_only_where_there_are_enough():
    few = evidence(n_chosen=11, n_random=9, random=report_of(SCATTERED[:4]))
    assert "at random alone" not in answers(facts(few))["score"]
    enough = evidence(n_chosen=10, n_random=10, random=report_of(SCATTERED[3:]))
    answer = answers(facts(enough))["score"]
    assert f"On the 10 regions drawn at random alone: {np.mean(SCATTERED[3:]):.2f} (95 %" in answer
    on_two = evidence(n_chosen=10, n_random=10, random=report_of(SCATTERED[:2]))
    assert "at random alone" not in answers(facts(on_two))["score"]


def test_labelled_validation_comes_first_and_cross_validation_second():
    answer = answers(
        facts(evidence(), evidence(EvidenceSource.VALIDATION, SCATTERED[:4], n_regions=4))
    )["score"]
    first, _, second = answer.partition("Cross-validated: ")
    assert "on 4 validation images" in first and "Slightly optimistic" in first
    assert second.startswith(f"{np.mean(SCATTERED):.2f} (95 % CI")
    test = evidence(EvidenceSource.TEST, SCATTERED[:5])
    assert "5 test images, used for no decision" in answers(facts(evidence(), test))["score"]


def test_two_validation_images_have_no_interval_so_that_cross_validation_comes_first():
    two = evidence(EvidenceSource.VALIDATION, SCATTERED[:2], n_regions=2)
    answer = answers(facts(two, evidence()))["score"]
    assert "cross-validated over 9 images" in answer
    assert "On validation images: 0.66 (too few images for an interval)" in answer
    alone = answers(facts(two))
    assert "too few images for an interval" in alone["score"]
    assert "±0.10" in alone["next"]


def test_what_is_outdated_says_so_and_asks_to_estimate_again():
    known = answers(facts(evidence(outdated="5 regions were finished or changed since")))
    assert "Outdated: 5 regions were finished or changed since" in known["score"]
    assert known["next"].startswith("estimate again, or ")


@pytest.mark.parametrize(("dice", "target"), [(SCATTERED, 0.05), ((0.2, 0.9, 0.3, 0.8, 0.9), 0.1)])
def test_what_makes_it_firmer_follows_the_spread_between_images(dice, target):
    known = evidence(dice=dice)
    found = known.estimates["image_mean_dice"]
    half = (found.high - found.low) / 2
    assert half > target
    missing = math.ceil((1.96 * np.std(dice, ddof=1) / target) ** 2) - len(dice)
    assert missing == required_sample_size(dice, half_width=target) - len(dice) > 1
    assert answers(facts(known))["next"] == (
        f"finish regions on {missing} more images (interval then about ±{target:.2f}), or finish "
        "25 random control regions for an unbiased score"
    )


def test_no_more_images_are_asked_for_than_there_are():
    spread = np.std(SCATTERED, ddof=1)
    three = answers(facts(evidence(left=3)))["next"]
    assert three.startswith(
        f"finish regions on the 3 remaining images (interval then about "
        f"±{1.96 * spread / math.sqrt(12):.2f}), or "
    )
    none = answers(facts(evidence(left=0)))["next"]
    assert none.startswith("add ") and " more images for an interval of about ±0.05" in none
    grouped = {f"i{k}": f"patient {k // 2}" for k in range(9)}
    known = evidence(groups=grouped)
    assert len(scores_by_group(known.report, grouped)) == 5
    assert "more patients or slides (interval then" in answers(facts(known))["next"]


def test_a_narrow_interval_needs_no_more_images():
    even = (0.80, 0.81, 0.82, 0.80, 0.81)
    assert answers(facts(evidence(dice=even)))["next"] == (
        "finish 25 random control regions for an unbiased score"
    )
    enough = facts(evidence(dice=even, n_random=20), n_controls_missing=25)
    assert answers(enough)["next"] == "nothing is needed, the interval is narrow"
    aside = facts(evidence(dice=even), n_controls_missing=0, n_validation_left=4)
    assert answers(aside)["next"] == "label the 4 images set aside for validation"


def test_calibration_is_answered_in_words():
    line = answers(facts(evidence(confidence=0.95)))["calibration"]
    gap = 0.95 - np.mean(SCATTERED)
    assert line == f"No: ECE {gap:.2f} (cross-validated), overconfident by {gap:.2f} on average"
    under = answers(facts(evidence(confidence=0.6)))["calibration"]
    assert "underconfident by 0.19" in under
    near = answers(facts(evidence(confidence=0.8)))["calibration"]
    assert near.startswith("Well enough: ECE 0.0")
    applied = answers(facts(evidence(), calibration="temperature 1.46"))["calibration"]
    assert applied == "Yes: temperature 1.46 is applied"


@pytest.mark.parametrize(("share", "verdict"), [(0.5, "Yes"), (0.15, "A little"), (0.1, "No")])
def test_whether_uncertainty_finds_errors_is_told_only_where_it_is_known(share, verdict):
    assert "errors" not in answers(facts(evidence()))
    bins = ErrorsByUncertainty.empty(1.0, 10)
    wrong = np.array([round(1000 * (1 - share) / 9)] * 9 + [round(1000 * share)])
    bins = replace(bins, counts=np.full(10, 1000), errors=wrong)
    known = evidence()
    known = replace(known, report=replace(known.report, errors={"entropy": bins}))
    line = answers(facts(known, measure="bald"))["errors"]
    assert line.startswith(f"{verdict}: the least certain 10 % of the pixels by ")
    assert f"hold {100 * wrong[-1] / wrong.sum():.0f} % of the errors" in line
