"""Every uncertainty measure by name: its function, unit, bound and source.

Other packages can register further measures.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.errors import ConfigError, did_you_mean
from napari_active_seg.uncertainty import measures as m
from napari_active_seg.uncertainty.moments import Moments
from napari_active_seg.uncertainty.registered import (
    CheckedMeasure,
    load_registered,
    registered_measures,
)

__all__ = ["MEASURES", "Measure", "check_measure", "get_measure", "measure_titles"]


@dataclass(frozen=True, slots=True)
class Measure:
    """An uncertainty measure with its name, unit, bound and source.

    ``needs`` names the further output that it needs (``uncertainty.EXTRAS``).
    """

    name: str
    title: str
    compute: Callable[[Moments], NDArray[np.float32]]
    unit: str
    source: str
    _bound: Callable[[int], float]
    needs: str | None = None

    def upper_bound(self, n_classes: int) -> float:
        """Return the highest value with ``n_classes`` classes; infinite where there is none."""
        return self._bound(n_classes)

    def normalise(self, moments: Moments) -> NDArray[np.float32]:
        """Return the map scaled so that 1 is the least certain.

        The divisor is the upper bound, or the map's maximum for a measure without bound.
        """
        values, bound = self.compute(moments), self.upper_bound(moments.n_classes)
        if math.isinf(bound):
            bound = max(float(values.max()), 1e-12)
        return values / np.float32(bound)

    def can_be_computed(self, moments: Moments) -> bool:
        """Return whether ``moments`` hold all that the measure needs."""
        return self.needs is None or self.needs in moments.extras


def _one(_: int) -> float:
    return 1.0


def _no_winner(c: int) -> float:
    return 1.0 - 1.0 / c


def _no_bound(_: int) -> float:
    return math.inf


def _two_entropies(c: int) -> float:
    return 2 * math.log(c)


#: Every measure by the name that the command line, the desktop and stored strategies use.
MEASURES: dict[str, Measure] = {
    measure.name: measure
    for measure in (
        Measure("entropy", "Predictive entropy", m.predictive_entropy, "nats", "Shannon", math.log),
        Measure("bald", "BALD", m.bald, "nats", "Houlsby et al. 2011, Gal et al. 2017", math.log),
        Measure(
            "expected-entropy",
            "Mean entropy of the passes",
            m.expected_entropy,
            "nats",
            "Beluch et al. 2018",
            math.log,
        ),
        Measure(
            "variation-ratio",
            "Variation ratio (mean probability)",
            m.variation_ratio,
            "probability",
            "Gal et al. 2017",
            _no_winner,
        ),
        Measure(
            "vote-variation-ratio",
            "Variation ratio (votes)",
            m.vote_variation_ratio,
            "share of passes",
            "Freeman 1965, Beluch et al. 2018",
            _no_winner,
        ),
        Measure(
            "mean-std",
            "Mean standard deviation",
            m.mean_standard_deviation,
            "probability",
            "Kampffmeyer et al. 2016",
            lambda c: math.sqrt(c - 1) / c,
        ),
        Measure("margin", "Margin", m.margin, "probability", "Scheffer et al. 2001", _one),
        Measure(
            "least-confidence",
            "Least confidence",
            m.least_confidence,
            "0 to 1",
            "Lewis and Gale 1994",
            _one,
        ),
        Measure(
            "equal-al",
            "EqualAL (entropy of both twins)",
            m.equal_al,
            "nats",
            "Golestaneh and Kitani 2020",
            _two_entropies,
            needs="mirrored",
        ),
        Measure(
            "flip-disagreement",
            "Disagreement with the mirrored twin",
            m.flip_disagreement,
            "nats",
            "Lin 1991, as a consistency",
            lambda _: math.log(2),
            needs="mirrored",
        ),
        Measure(
            "learned-loss",
            "Learned loss",
            m.learned_loss,
            "any scale",
            "Yoo and Kweon 2019",
            _no_bound,
            needs="learned-loss",
        ),
        Measure(
            "discriminator",
            "Discriminator's doubt",
            m.discriminator_doubt,
            "0 to 1",
            "Mittal et al. 2019",
            _one,
            needs="discriminator",
        ),
        Measure("random", "Random", m.random_draw, "0 to 1", "", _one, needs="random"),
    )
}


def get_measure(name: str) -> Measure:
    """Return the measure called ``name``, built in or registered.

    A registered measure is an entry point of the group ``napari_active_seg.measures``: a function
    from ``Moments`` to a map (H, W), or a ``Measure``.

    Parameters
    ----------
    name
        A key of ``MEASURES``, or the name of an entry point.

    Returns
    -------
    Measure
        The measure; ``compute`` maps moments to a map (H, W).

    Raises
    ------
    ConfigError
        If no measure has that name, or a registered one cannot be used.

    Examples
    --------
    >>> measure = get_measure("bald")
    >>> measure.title, round(measure.upper_bound(n_classes=2), 3)
    ('BALD', 0.693)
    """
    if name in MEASURES:
        return MEASURES[name]
    found = load_registered(check_measure(name))
    if isinstance(found, Measure):
        return replace(found, name=name, compute=CheckedMeasure(name, found.compute))
    if not callable(found):
        raise ConfigError(
            f"the measure {name!r} is registered as {found!r}, which computes nothing"
        )
    return Measure(name, name, CheckedMeasure(name, found), "any scale", "", _no_bound)


def check_measure(name: str) -> str:
    """Return ``name`` if it is a measure; else raise ConfigError with the known names.

    Nothing is imported: an error in another package does not keep a project from opening.
    """
    if name not in MEASURES and name not in registered_measures():
        raise ConfigError(
            f"no uncertainty measure {name!r}: {did_you_mean(name, measure_titles())}"
        )
    return name


def measure_titles() -> dict[str, str]:
    """Return the title of each measure by its name; a registered measure's title is its name."""
    ours = {name: measure.title for name, measure in MEASURES.items()}
    return ours | {name: name for name in registered_measures() if name not in ours}
