"""Images to choose from, and the pieces of a search that most tests leave as they are."""

import numpy as np

from napari_active_seg.acquisition import (
    Aggregate,
    Budget,
    Candidate,
    CostModel,
    PoolImage,
    Search,
    Strategy,
    gather,
)
from napari_active_seg.regions import MaskedRegion, Region

#: Costs the same everywhere.
FLAT = CostModel("area", base_s=1.0, per_pixel=0.0)
_TOLD = ("prunes", "counts_clicks", "needs_classes")


def rng(seed=0):
    return np.random.default_rng(seed)


def image(values, name="a", taken=(), **more):
    values = np.asarray(values, np.float32)
    places = tuple(t if isinstance(t, MaskedRegion) else MaskedRegion(t) for t in taken)
    return PoolImage(name, values.shape, taken=places, uncertainty=values, **more)


def two_classes(classes):
    """Mean probabilities (2, H, W) that are sure of ``classes``."""
    classes = np.asarray(classes)
    return np.stack([classes == 0, classes == 1]).astype(np.float32) * 0.8 + 0.1


def search(strategy=None, *, most=None, cost=FLAT, aggregate=None, **parts):
    told = {
        name: parts.pop(name)
        for name in ("prunes", "limited", "counts_clicks", "needs_classes")
        if name in parts
    }
    if isinstance(aggregate, str):
        aggregate = Aggregate(aggregate)
    strategy = strategy or Strategy("s", measure="entropy", size=16, stride=4)
    strategy = strategy.with_changes(**parts)
    return Search(strategy, aggregate or Aggregate(strategy.aggregate), cost, most, **told)


def best(pool, count, seed=0, **parts):
    """The regions that a search finds, with their information."""
    found = gather(pool, search(most=count, **parts), rng(seed))
    return [candidate.region for candidate in found], [c.information for c in found]


def candidate(name="a", y=0, x=0, side=8, value=1.0, **more):
    place = MaskedRegion(Region(name, y, x, side, side))
    return Candidate(place, value, value, **{"seconds": 1.0, "patient": name, **more})


def regions(amount):
    return Budget(amount)
