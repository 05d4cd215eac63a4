"""Whether there are enough labels for a network to learn from unlabelled images too."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["UnlabelledAdvice", "advise_on_unlabelled"]

#: A network that has seen fewer regions, or one class alone, teaches itself its own mistakes.
_LEAST_REGIONS, _LEAST_CLASSES = 8, 2
#: From this share of the pool's pixels on, labels help more than pseudo-labels.
_MUCH_LABELLED = 0.3


@dataclass(frozen=True, slots=True)
class UnlabelledAdvice:
    """Whether unlabelled images may be used now, and a sentence for the person who decides."""

    may_be_used: bool
    summary: str


def advise_on_unlabelled(
    *, n_regions: int, n_classes: int, labelled_share: float, n_images: int
) -> UnlabelledAdvice:
    """Advise on training with unlabelled images.

    After the comparison of strategies by Mittal et al. (2023): unlabelled images help more than
    the choice of what to label, most in a diverse pool with few labels; with images that resemble
    each other and few labels choosing in batches matters more.
    """
    if n_images == 0:
        return UnlabelledAdvice(False, "every image of the pool is labelled: nothing to add")
    if n_regions < _LEAST_REGIONS:
        return UnlabelledAdvice(
            False,
            f"too few labels to learn from unlabelled images: {n_regions} of {_LEAST_REGIONS} "
            "regions done",
        )
    if n_classes < _LEAST_CLASSES:
        return UnlabelledAdvice(
            False, "too few labels to learn from unlabelled images: only one class is labelled"
        )
    if labelled_share >= _MUCH_LABELLED:
        return UnlabelledAdvice(
            True, f"{labelled_share:.0%} of the pool is labelled: unlabelled images may help little"
        )
    return UnlabelledAdvice(
        True,
        f"{labelled_share:.1%} of the pool is labelled: unlabelled images are likely to help, more "
        "where they differ much from each other",
    )
