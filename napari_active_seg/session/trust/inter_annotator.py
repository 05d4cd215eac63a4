"""How far two people agree who labelled the same region."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from napari_active_seg.metrics import ConfusionMatrix
from napari_active_seg.project import Project
from napari_active_seg.regions import UNLABELLED

__all__ = ["AnnotatorAgreement", "annotator_agreements"]


@dataclass(frozen=True, slots=True)
class AnnotatorAgreement:
    """Cohen's kappa and mean Dice of what two people labelled, over ``n_regions`` of both."""

    one: str
    other: str
    kappa: float
    mean_dice: float
    n_regions: int
    n_pixels: int
    region_id: str | None = None  #: of one region alone; None for all together


def annotator_agreements(project: Project) -> tuple[AnnotatorAgreement, ...]:
    """Return each pair of people with all their regions together, then region by region.

    The latest save of each person counts; pixels that one of them left are not compared.
    """
    classes = len(project.schema)
    latest: dict[str, dict[str, str]] = {}
    for save in project.labels.saves():
        latest.setdefault(save.region_id, {})[save.annotator] = save.uid
    single: list[AnnotatorAgreement] = []
    pooled: dict[tuple[str, str], ConfusionMatrix] = {}
    for region_id, by_person in latest.items():
        names = sorted(by_person)
        if len(names) < 2:
            continue
        targets = {name: project.labels.get_target(by_person[name]) for name in names}
        for k, one in enumerate(names):
            for other in names[k + 1 :]:
                found = np.where(targets[other] == UNLABELLED, 0, targets[other])
                both = np.where(targets[other] == UNLABELLED, UNLABELLED, targets[one])
                matrix = ConfusionMatrix.empty(classes).add(found, both)
                if matrix.n_pixels:
                    single.append(_agreement(one, other, matrix, 1, region_id))
                    before = pooled.get((one, other), ConfusionMatrix.empty(classes))
                    pooled[one, other] = before + matrix
    counts = Counter((a.one, a.other) for a in single)
    together = [_agreement(*pair, matrix, counts[pair]) for pair, matrix in pooled.items()]
    return (*together, *sorted(single, key=lambda a: a.mean_dice))


def _agreement(
    one: str, other: str, matrix: ConfusionMatrix, n: int, region_id: str | None = None
) -> AnnotatorAgreement:
    kappa = 1.0 if matrix.accuracy == 1 else float(matrix.kappa)
    return AnnotatorAgreement(
        one, other, kappa, float(matrix.mean_dice), n, matrix.n_pixels, region_id
    )
