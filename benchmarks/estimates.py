"""Whether estimates and forecasts keep what they promise, over many drawn cases.

    python benchmarks/estimates.py

Losses of units are drawn, units are drawn in proportion to a noisy guess of their loss, and the
mean of all is estimated from the few: plainly, and by LURE weights. Learning curves are drawn, and
their next step is forecast.
"""

from __future__ import annotations

import numpy as np

from napari_active_seg.calibration import DrawnUnits, is_balanced, lure_weights, weighted_mean
from napari_active_seg.metrics import fit_curve

CASES = 2000
UNITS = 200


def weighted(count: int, sharpness: float) -> tuple[float, ...]:
    """Return the bias of the plain mean and of the weighted one, its spread, and its coverage.

    Then in which share of cases limits are given at all, and how often they hold there.
    """
    rng = np.random.default_rng(0)
    plain, ours, held, given = [], [], [], []
    for _ in range(CASES):
        loss = rng.beta(0.8, 4, UNITS)
        guess = np.clip(loss + rng.normal(0, 0.1, UNITS), 0.02, None) ** sharpness
        left, taken, chances = list(range(UNITS)), [], []
        for _ in range(count):
            weights = guess[left] / guess[left].sum()
            pick = int(rng.choice(len(left), p=weights))
            chances.append(float(weights[pick]))
            taken.append(left.pop(pick))
        units = DrawnUnits(tuple(chances), tuple(UNITS - m for m in range(count)))
        weights_of_all = lure_weights(units)
        mean, low, high = weighted_mean(loss[taken], weights_of_all)
        plain.append(loss[taken].mean() - loss.mean())
        ours.append(mean - loss.mean())
        held.append(low <= loss.mean() <= high)
        given.append(is_balanced(weights_of_all))
    kept = np.array(given)
    return (
        float(np.mean(plain)),
        float(np.mean(ours)),
        float(np.std(ours)),
        float(np.mean(held)),
        float(kept.mean()),
        float(np.array(held)[kept].mean()),
    )


def forecast(points: int, noise: float) -> tuple[float, float]:
    """Return how often the 80 % band holds the true gain, and its median width in points."""
    rng = np.random.default_rng(0)
    held, widths = 0, []
    for _ in range(300):
        end, drop, rate = rng.uniform(0.75, 0.97), rng.uniform(0.1, 0.4), rng.uniform(0.3, 1.2)
        x = np.arange(1, points + 1) * 5.0
        true = end - drop * (np.append(x, x[-1] + 10) / x[0]) ** -rate
        said = fit_curve(x, true[:-1] + rng.normal(0, noise, points)).forecast(x[-1], x[-1] + 10)
        held += bool(said.low <= true[-1] - true[-2] <= said.high)
        widths.append(100 * (said.high - said.low))
    return held / 300, float(np.median(widths))


def main() -> None:
    print(f"{UNITS} units, mean loss 0.167, {CASES} cases")
    for sharpness in (0.5, 1.0, 2.0):
        for count in (10, 30):
            plain, ours, spread, held, share, held_there = weighted(count, sharpness)
            print(
                f"  {count} drawn by guess^{sharpness}: plain off by {plain:+.3f}, weighted by "
                f"{ours:+.4f} (spread {spread:.3f}); 95 % limits hold {held:.1%}; "
                f"given in {share:.0%} of cases, where they hold {held_there:.1%}"
            )
    print("forecasts of ten more minutes, 300 drawn curves each")
    for noise in (0.003, 0.01, 0.02):
        for points in (4, 6, 8, 12):
            held, width = forecast(points, noise)
            print(
                f"  {points} points, noise {noise}: 80 % band holds {held:.0%}, "
                f"{width:.1f} points wide"
            )


if __name__ == "__main__":
    main()
