"""A first answer to "how good is the model?", in at most four lines, from the best evidence."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from napari_active_seg.acquisition import required_sample_size
from napari_active_seg.metrics import (
    LEAST_IMAGES,
    EvalReport,
    Groups,
    Interval,
    estimate_over_images,
    scores_by_group,
)
from napari_active_seg.uncertainty import get_measure

__all__ = ["Evidence", "EvidenceSource", "TrustFacts", "TrustLine", "summarise_trust"]

#: The interval is to become this narrow, either way; the next target below the present width.
_TARGETS = (0.10, 0.05)
#: Randomly drawn regions are scored apart from so many on.
LEAST_RANDOM = 10
#: An ECE up to this counts as calibrated.
_CALIBRATED_ECE = 0.05
#: Shares of the errors in the least certain tenth: from here on uncertainty finds them (a little).
_FINDS, _FINDS_A_LITTLE = 0.20, 0.12


class EvidenceSource(StrEnum):
    """Which labels a score comes from, the most trustworthy first."""

    TEST = "test"
    VALIDATION = "validation"
    CROSS_VALIDATION = "cross-validation"
    CONTROL = "control"


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """One measurement of the model in use, or of models trained like it.

    ``n_chosen`` of the regions were chosen by what a model predicted, ``n_random`` were drawn
    uniformly, and ``random`` is the report on these alone. ``outdated`` says what has changed since
    the measurement; ``left`` is how many images (or patients) could still be labelled for it.
    """

    source: EvidenceSource
    report: EvalReport
    groups: Groups
    n_regions: int
    n_chosen: int = 0
    n_random: int = 0
    random: EvalReport | None = None
    outdated: str = ""
    left: int = 0

    @property
    def estimates(self) -> dict[str, Interval]:
        """Scores with their intervals over images, or groups of them."""
        return estimate_over_images(self.report, groups=self.groups)


@dataclass(frozen=True, slots=True, eq=False)
class TrustFacts:
    """All that the first answer is made from.

    ``calibration`` describes the calibration that is applied, ``why_not`` says why nothing can be
    estimated from the finished regions. ``n_validation_left`` images are set aside for validation
    and not labelled; ``n_controls_missing`` control regions are needed for an unbiased score.
    """

    model_id: str | None
    evidence: tuple[Evidence, ...] = ()
    calibration: str = ""
    measure: str = "entropy"
    n_regions: int = 0
    n_images: int = 0
    n_folds: int = 0
    n_validation_left: int = 0
    n_controls_missing: int = 0
    why_not: str = ""


@dataclass(frozen=True, slots=True)
class TrustLine:
    """A question with its answer; ``key`` names the line for programs."""

    key: str
    question: str
    answer: str

    @property
    def text(self) -> str:
        """The line as it is shown."""
        return f"{self.question} {self.answer}"


def summarise_trust(facts: TrustFacts) -> tuple[TrustLine, ...]:
    """Return the lines: how good, whether calibrated, whether uncertainty helps, what is next."""
    ranked = sorted(facts.evidence, key=_rank)
    lines = [_score_line(facts, ranked)]
    if facts.model_id is not None:
        lines.append(_calibration_line(facts, ranked))
        lines += _error_lines(facts, ranked)
    return (*lines, _next_line(facts, ranked))


def _rank(evidence: Evidence) -> tuple[bool, bool, int]:
    """Return a key that sorts the best evidence first: with an interval, and up to date."""
    known = evidence.estimates.get("image_mean_dice")
    sources = list(EvidenceSource)
    no_interval = known is None or math.isnan(known.low)
    return no_interval, bool(evidence.outdated), sources.index(evidence.source)


# --- how good is it? -----------------------------------------------------------------------------


def _score_line(facts: TrustFacts, ranked: Sequence[Evidence]) -> TrustLine:
    if facts.model_id is None:
        return TrustLine("score", "How good is the model?", "There is no model yet")
    question = f"How good is {facts.model_id}?"
    if not ranked:
        return TrustLine("score", question, "Not measured yet")
    best = ranked[0]
    parts = [f"Dice about {_score(best)}, {_where(best)}"]
    parts += [sentence for sentence in (_bias(best), _random_alone(best), _age(best)) if sentence]
    parts += [f"{_NAMES[other.source]}: {_score(other)}" for other in ranked[1:2]]
    return TrustLine("score", question, ". ".join(parts))


_NAMES = {
    EvidenceSource.TEST: "On test images",
    EvidenceSource.VALIDATION: "On validation images",
    EvidenceSource.CROSS_VALIDATION: "Cross-validated",
    EvidenceSource.CONTROL: "On random control regions",
}


def _score(evidence: Evidence) -> str:
    known = evidence.estimates.get("image_mean_dice")
    return "not known" if known is None else _with_limits(known)


def _with_limits(known: Interval) -> str:
    if math.isnan(known.low):
        return f"{known.value:.2f} (too few images for an interval)"
    return f"{known.value:.2f} (95 % CI {known.low:.2f} to {known.high:.2f})"


def _where(evidence: Evidence) -> str:
    images = _count(len(evidence.report.images), "image")
    regions = _count(evidence.n_regions, "region")
    if evidence.source is EvidenceSource.CROSS_VALIDATION:
        return f"cross-validated over {images}, {regions}"
    if evidence.source is EvidenceSource.CONTROL:
        return (
            f"on {evidence.n_regions} random control regions of {images}, before training on them"
        )
    if evidence.source is EvidenceSource.TEST:
        return f"on {_count(len(evidence.report.images), 'test image')}, used for no decision"
    return f"on {_count(len(evidence.report.images), 'validation image')}"


def _bias(evidence: Evidence) -> str:
    """Return in which direction the choice of regions moves the score."""
    if evidence.source is EvidenceSource.VALIDATION:
        return "Slightly optimistic, since models are selected on these images"
    if evidence.source is not EvidenceSource.CROSS_VALIDATION:
        return ""
    if evidence.n_chosen:
        every = evidence.n_chosen == evidence.n_regions
        which = "The regions" if every else f"{evidence.n_chosen} of the regions"
        return f"{which} were chosen as difficult: elsewhere the model may be better"
    if evidence.n_random < evidence.n_regions:
        return "The regions were not drawn at random: elsewhere the score may differ"
    return ""


def _random_alone(evidence: Evidence) -> str:
    if evidence.random is None or not LEAST_RANDOM <= evidence.n_random < evidence.n_regions:
        return ""
    known = estimate_over_images(evidence.random, groups=evidence.groups).get("image_mean_dice")
    if known is None or math.isnan(known.low):
        return ""
    return f"On the {evidence.n_random} regions drawn at random alone: {_with_limits(known)}"


def _age(evidence: Evidence) -> str:
    return f"Outdated: {evidence.outdated}" if evidence.outdated else ""


# --- is it calibrated, and does uncertainty find errors? -----------------------------------------


def _calibration_line(facts: TrustFacts, ranked: Sequence[Evidence]) -> TrustLine:
    question = "Calibrated?"
    if facts.calibration:
        return TrustLine("calibration", question, f"Yes: {facts.calibration} is applied")
    for evidence in ranked:
        known = evidence.estimates.get("ece")
        if known is None:
            continue
        bins, where = evidence.report.bins, _NAMES[evidence.source].lower()
        if known.value <= _CALIBRATED_ECE:
            answer = f"Well enough: ECE {known.value:.2f} ({where})"
        else:
            gap = float((bins.confidence_sums - bins.hits).sum() / bins.counts.sum())
            kind = "overconfident" if gap > 0 else "underconfident"
            answer = f"No: ECE {known.value:.2f} ({where}), {kind} by {abs(gap):.2f} on average"
        return TrustLine("calibration", question, answer)
    return TrustLine("calibration", question, "Not checked yet")


def _error_lines(facts: TrustFacts, ranked: Sequence[Evidence]) -> list[TrustLine]:
    """Return a line on whether uncertainty finds errors; none where that is not known."""
    for evidence in ranked:
        errors = evidence.report.errors
        name = facts.measure if facts.measure in errors else "entropy"
        found = errors[name].share_found() if name in errors else math.nan
        if math.isnan(found):
            continue
        verdict = "Yes" if found >= _FINDS else "A little" if found >= _FINDS_A_LITTLE else "No"
        answer = (
            f"{verdict}: the least certain 10 % of the pixels by {get_measure(name).title} hold "
            f"{100 * found:.0f} % of the errors (by chance 10 %)"
        )
        return [TrustLine("errors", "Does uncertainty find errors?", answer)]
    return []


# --- what comes next? ----------------------------------------------------------------------------


def _next_line(facts: TrustFacts, ranked: Sequence[Evidence]) -> TrustLine:
    if facts.model_id is None or not ranked:
        question = "Next:" if facts.model_id is None else "To find out:"
        return TrustLine("next", question, facts.why_not or _offer(facts))
    best = ranked[0]
    options = [_AGAIN[best.source]] if best.outdated else []
    options += _more_images(best)
    if best.source is EvidenceSource.CROSS_VALIDATION:
        if facts.n_controls_missing and best.n_random < LEAST_RANDOM:
            n = facts.n_controls_missing
            options.append(f"finish {n} random control regions for an unbiased score")
        if facts.n_validation_left:
            left = _count(facts.n_validation_left, "image")
            options.append(f"label the {left} set aside for validation")
    elif all(e.source is not EvidenceSource.CROSS_VALIDATION for e in ranked) and not facts.why_not:
        options.append(_offer(facts))
    if not options:
        return TrustLine("next", "To make it firmer:", "nothing is needed, the interval is narrow")
    return TrustLine("next", "To make it firmer:", ", or ".join(options[:2]))


_AGAIN = {
    EvidenceSource.TEST: "measure on the test images again",
    EvidenceSource.VALIDATION: "score on the validation images again",
    EvidenceSource.CROSS_VALIDATION: "estimate again",
    EvidenceSource.CONTROL: "finish new control regions",
}


def _offer(facts: TrustFacts) -> str:
    regions, images = _count(facts.n_regions, "finished region"), _count(facts.n_images, "image")
    return (
        f"estimate it from the {regions} on {images} (cross-validation: {facts.n_folds} trainings, "
        "each tested on images that it has not seen)"
    )


def _more_images(evidence: Evidence) -> list[str]:
    """Return how many more images make the interval how narrow; nothing where it is narrow."""
    known = evidence.estimates.get("image_mean_dice")
    if known is None or evidence.source is EvidenceSource.CONTROL:
        return []
    half = math.inf if math.isnan(known.low) else (known.high - known.low) / 2
    target = next((width for width in _TARGETS if width < half), None)
    if target is None:
        return []
    scores = scores_by_group(evidence.report, evidence.groups)
    missing = max(required_sample_size(scores, half_width=target) - len(scores), 1)
    grouped = any(evidence.groups.get(i) for i in evidence.report.image_ids)
    unit = "patient or slide" if grouped else "image"
    label = (
        "label" if evidence.source is not EvidenceSource.CROSS_VALIDATION else "finish regions on"
    )
    kind = "" if evidence.source is EvidenceSource.CROSS_VALIDATION else f"{evidence.source} "
    if missing <= evidence.left:
        return [f"{label} {_more(missing, kind + unit)} (interval then about ±{target:.2f})"]
    if evidence.left and len(scores) >= LEAST_IMAGES:
        spread = float(np.std(scores, ddof=1))
        width = 1.96 * spread / math.sqrt(len(scores) + evidence.left)
        rest = _count(evidence.left, f"remaining {kind}{unit}")
        return [f"{label} the {rest} (interval then about ±{width:.2f})"]
    if evidence.source is EvidenceSource.CROSS_VALIDATION:
        return [f"add {_more(missing, unit)} for an interval of about ±{target:.2f}"]
    return []


def _more(n: int, unit: str) -> str:
    return f"{n} more {unit if n == 1 else _plural(unit)}"


def _count(n: int, unit: str) -> str:
    return f"{n} {unit if n == 1 else _plural(unit)}"


def _plural(unit: str) -> str:
    return "patients or slides" if unit.endswith("patient or slide") else f"{unit}s"
