"""What labels of a study of whole images cost, and what was had for it."""

from __future__ import annotations

from collections.abc import Sequence

from napari_active_seg.figures import Curve, Mark, Report, draw_curves, draw_trade_off
from napari_active_seg.studies.classification.rounds import (
    Rounds,
    over_random,
    runs_by_seed,
)
from napari_active_seg.studies.classification.settings import RANDOM, ClassificationStudy
from napari_active_seg.studies.seed_statistics import Spread, ratios_by_seed

__all__ = ["add_costs"]

#: The paper looks at rounds 50 and 98 of 98.
_HALFWAY = 50 / 98


def add_costs(
    page: Report, study: ClassificationStudy, rounds: Rounds, arms: Sequence[str]
) -> None:
    """Add what arms cost half-way and at the end, over random, and how far off learned costs were.

    "Over random" divides by the costs of the random arm, seed by seed.
    """
    page.heading("Cost")
    halfway = round(study.rounds * _HALFWAY)
    looked_at = {f"after {number} steps": number for number in (halfway, study.rounds)}
    head = [f"{what} {words}" for words in looked_at for what in ("cost", "error %")]
    rows = [
        (arm, *(cell for number in looked_at.values() for cell in _at(rounds, arm, number)))
        for arm in arms
    ]
    page.table(("arm", *head), rows)
    _add_over_random(page, study, rounds, arms, looked_at)
    panels = {
        words: [mark for arm in arms if (mark := _mark(rounds, arm, number)).paid]
        for words, number in looked_at.items()
    }
    drawn = draw_trade_off(panels, paid_title="cost of all labels", gained_title="Test accuracy")
    page.chart(drawn, "What was paid and what was had for it, mean and deviation over seeds")
    curves = [
        Curve.over_runs(
            arm,
            [
                ([f["cost"] for f in run], [f["error"] for f in run])
                for run in runs_by_seed(rounds, arm).values()
            ],
        )
        for arm in arms
    ]
    drawn = draw_curves(curves, x_title="cost of all labels", y_title="Test error")
    page.chart(drawn, "Test error by what labels cost, mean over seeds")


def _add_over_random(
    page: Report,
    study: ClassificationStudy,
    rounds: Rounds,
    arms: Sequence[str],
    looked_at: dict[str, int],
) -> None:
    """Add costs over those of random, for the same number of images and for the same error."""
    if RANDOM not in arms:
        return
    page.paragraph(
        "Costs over those of random with the same seed, with as many images and for the same "
        "error; and learned costs less true ones, image by image."
    )
    rows = []
    for arm in (arm for arm in arms if arm != RANDOM):
        same_images = [_paid_over_random(rounds, arm, number) for number in looked_at.values()]
        same_error = [over_random(rounds, arm, level, paid="cost") for level in study.levels]
        off = [f["cost_bias"] for f in rounds if f["arm"] == arm and "cost_bias" in f]
        bias = f"{sum(off) / len(off):+.1f}" if off else ""
        rows.append((arm, *(s.describe(2) for s in (*same_images, *same_error)), bias))
    levels = (f"error {level:.0%}" for level in study.levels)
    page.table(("arm", *looked_at, *levels, "learned less true"), rows)


def _at(rounds: Rounds, arm: str, number: int) -> tuple[str, str]:
    """Return cost and error in per cent after ``number`` steps."""
    found = [f for f in rounds if f["arm"] == arm and f["round"] == number]
    if not found:
        return "-", "-"
    return (
        Spread.over([f["cost"] for f in found]).describe(0),
        Spread.over([100 * f["error"] for f in found]).describe(2),
    )


def _paid_over_random(rounds: Rounds, arm: str, number: int) -> Spread:
    """Return what ``arm`` had cost after ``number`` steps, over what random had."""
    ours, theirs = (
        {f["seed"]: f["cost"] for f in rounds if f["arm"] == name and f["round"] == number}
        for name in (arm, RANDOM)
    )
    return Spread.over_seeds(ratios_by_seed(ours, theirs))


def _mark(rounds: Rounds, arm: str, number: int) -> Mark:
    found = [f for f in rounds if f["arm"] == arm and f["round"] == number]
    return Mark(arm, [f["cost"] for f in found], [1 - f["error"] for f in found])
