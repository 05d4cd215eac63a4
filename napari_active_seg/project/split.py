"""Which images are set aside: drawn once, by a seed, over patients or slides."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

import numpy as np

from napari_active_seg.errors import ConfigError
from napari_active_seg.project.records import Placement, Split

__all__ = ["assign_splits", "explain_missing_validation", "groups_in_several_splits"]


def assign_splits(
    image_ids: Iterable[str],
    *,
    val_fraction: float,
    seed: int,
    test_fraction: float = 0.0,
    groups: Mapping[str, str] | None = None,
    official: Mapping[str, Split] | None = None,
) -> dict[str, Placement]:
    """Return where each image belongs; the order in which the ids come does not matter.

    Images of one group (a patient, a slide) are drawn together; an image without a group stands
    for itself. A fraction above 0 sets aside one group at least, and the pool keeps one at least.
    ``official`` splits stay as they are; where they name no validation image, one is drawn from
    their training part.
    """
    for name, fraction in (("validation", val_fraction), ("test", test_fraction)):
        if not 0.0 <= fraction < 1.0:
            raise ConfigError(f"the {name} fraction must be 0 to below 1, got {fraction}")
    if val_fraction + test_fraction >= 1.0:
        raise ConfigError("validation and test fractions together must stay below 1")
    given, of_group = dict(official or {}), dict(groups or {})
    ids = sorted(image_ids)
    placed = {i: Placement(given[i], of_group.get(i), "official") for i in ids if i in given}
    has_official = {placement.split for placement in placed.values()}
    free = [i for i in ids if placed.get(i, Placement(Split.POOL)).split is Split.POOL]
    wanted = {
        Split.VALIDATION: 0.0 if Split.VALIDATION in has_official else val_fraction,
        Split.TEST: 0.0 if Split.TEST in has_official else test_fraction,
    }
    drawn = _draw(_units(free, of_group), wanted, seed)
    for i in free:
        split = drawn.get(i, Split.POOL)
        source = "official" if i in given and split is Split.POOL else "drawn"
        placed[i] = Placement(split, of_group.get(i), source)
    return placed


def groups_in_several_splits(placements: Iterable[Placement]) -> dict[str, tuple[Split, ...]]:
    """Return each group that has images in more than one split, with those splits."""
    splits: dict[str, set[Split]] = defaultdict(set)
    for placement in placements:
        if placement.group is not None:
            splits[placement.group].add(placement.split)
    return {g: tuple(sorted(s)) for g, s in sorted(splits.items()) if len(s) > 1}


def explain_missing_validation(placements: Iterable[Placement]) -> str:
    """Return why no image is set aside for validation, and what to do; empty where one is."""
    placed = list(placements)
    if any(placement.split is Split.VALIDATION for placement in placed):
        return ""
    groups = {placement.group for placement in placed}
    cause, remedy = "", "a share for validation"
    if len(placed) == 1:
        cause, remedy = ", since there is one image alone", "more images"
    elif len(groups) == 1 and None not in groups:
        cause = f", since all {len(placed)} images are of one patient or slide, {groups.pop()!r}"
        remedy = "another pattern or table of patients"
    return (
        f"no image is set aside for validation{cause}: no model is measured, and a worse one is "
        f"not noticed. Make a new project with {remedy}"
    )


def _units(ids: list[str], groups: Mapping[str, str]) -> list[list[str]]:
    """Return the images that are drawn together, in an order that the ids alone decide."""
    units: dict[tuple[str, str], list[str]] = defaultdict(list)
    for i in ids:
        units[("group", groups[i]) if i in groups else ("image", i)].append(i)
    return sorted(units.values())


def _draw(units: list[list[str]], fractions: Mapping[Split, float], seed: int) -> dict[str, Split]:
    """Draw the images to set aside: the wanted number, in whole units, leaving one unit."""
    total = sum(len(unit) for unit in units)
    order = [units[k] for k in np.random.default_rng((seed, 0x5350)).permutation(len(units))]
    drawn: dict[str, Split] = {}
    for split, fraction in fractions.items():
        wanted = max(round(fraction * total), 1) if fraction > 0 else 0
        while wanted > 0 and len(order) > 1:
            unit = order.pop(0)
            drawn.update(dict.fromkeys(unit, split))
            wanted -= len(unit)
    return drawn
