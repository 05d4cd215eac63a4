"""Figures as the papers print them, to compare with ours."""

from __future__ import annotations

from dataclasses import dataclass

from napari_active_seg.figures import Report

__all__ = ["PUBLISHED", "Published", "add_published"]


@dataclass(frozen=True, slots=True)
class Published:
    """A table of a paper: its title, its head and its rows."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[object, ...], ...]


_REGIONS = "Li and Alstrøm 2020, table 1: % of pixels to reach a score, full image (region)"
_MEASURES = ("", "Random", "VarRatio", "Entropy", "BALD")
_CIFAR = ("", "CIFAR-10", "AUC", "CIFAR-100", "AUC")
PUBLISHED: dict[str, Published] = {
    "glas": Published(
        _REGIONS,
        _MEASURES,
        (
            ("F1 75 %", "29.41", "29.41 (16.04)", "35.29 (15.83)", "37.5 (16.33)"),
            ("F1 80 %", "41.18", "35.29 (17.45)", "41.18 (18.84)", "41.18 (20.3)"),
            ("F1 85 %", "76.47", "52.94 (28.82)", "52.94 (29.39)", "52.94 (31.23)"),
        ),
    ),
    "isic2016": Published(
        _REGIONS,
        _MEASURES,
        (
            ("Jaccard 70 %", "10.67", "10.67 (5.34)", "14.22 (6.58)", "14.22 (4.93)"),
            ("Jaccard 77 %", "46.22", "21.33 (13.78)", "28.44 (13.12)", "32.00 (9.55)"),
        ),
    ),
    "mnist": Published(
        "Gal et al. 2017, table 1: images to reach a test error on MNIST",
        ("", "BALD", "VarRatio", "MaxEnt", "MeanSTD", "Random"),
        (("10 %", 145, 120, 165, 230, 255), ("5 %", 335, 295, 355, 695, 835)),
    ),
    "mnist-thousand": Published(
        "Gal et al. 2017, table 2: test error on MNIST with 1,000 labels, 5,000 images for "
        "validation",
        ("", "BALD", "VarRatio", "MaxEnt", "Random"),
        (("1,000", "1.80 %", "1.64 %", "1.74 %", "4.66 %"),),
    ),
    "mnist-stream": Published(
        "Annotation cost-sensitive deep active learning, table 1: images needed for 90 %, over "
        "those of random",
        ("", "BALD", "Entropy", "STD"),
        (("mean of five", "0.73 ± 0.16", "0.75 ± 0.09", "0.60 ± 0.09"),),
    ),
    "voc-polygons": Published(
        "Mittal et al. 2019, on PASCAL-VOC in clicks: what its text and figures say",
        ("what", "figure"),
        (
            ("start, and each of 5 steps", "5,000 clicks, 1.5 % of all"),
            ("tolerance of polygons", "10 pixels, 95.06 % mean IoU kept, about 33 clicks an image"),
            ("Entropy over Random after 5 steps", "+1.1 mean IoU"),
            ("s4GAN over none, Random", "+4.1 mean IoU, the best of all"),
            ("all labels", "73.6 mean IoU, 71.6 on polygons"),
        ),
    ),
    "bcss": Published(
        "Mittal et al. 2025, table 6: BCSS 1-1, mean IoU@3 and AUC@5",
        ("", "mIoU@3", "AUC@5"),
        (
            ("Random", 56.29, 2.24),
            ("Entropy", 53.67, 2.15),
            ("EqualAL", 53.72, 2.15),
            ("Core-set", 56.68, 2.37),
            ("Random-SSL", 58.93, 2.34),
            ("Entropy-SSL", 57.96, 2.28),
            ("EqualAL-SSL", 58.75, 2.32),
            ("Core-set-SSL", 60.10, 2.38),
            ("100 %", 65.71, 2.63),
        ),
    ),
    "a2d2-3k": Published(
        "Mittal et al. 2025, table 7: A2D2-3K, mean IoU@7.5 and AUC@7.5 (doubled in print)",
        ("", "mIoU", "AUC"),
        (
            ("Uniform", 57.75, "-"),
            ("Random", 56.14, 5.35),
            ("Entropy", 60.16, 5.53),
            ("Core-set", 60.30, 5.55),
            ("Uniform (@5) + Entropy", 60.40, 5.66),
            ("Uniform-SSL", 58.93, "-"),
            ("Random-SSL", 57.57, 5.53),
            ("Entropy-SSL", 59.91, 5.61),
            ("Core-set-SSL", 61.13, 5.72),
            ("Uniform (@5) + Entropy-SSL", 59.63, 5.59),
            ("100 %", 66.65, 6.64),
        ),
    ),
    "cifar-large": Published(
        "Mittal et al. 2025, tables 9 and 10: accuracy at 12,500 labels and AUC@20K (doubled in "
        "print)",
        _CIFAR,
        (
            ("Random, plain", 76.43, 44.87, 34.35, 20.59),
            ("Entropy, plain", 76.11, 45.28, 34.16, 20.27),
            ("LL, plain", 78.71, 46.09, 35.28, 20.77),
            ("Core-set, plain", 76.94, 45.39, 35.57, 20.98),
            ("ENS-varR, plain", 77.39, 45.51, 35.03, 20.68),
            ("Random", 89.55, 53.27, 61.67, 35.99),
            ("Entropy", 90.76, 53.96, 60.01, 35.31),
            ("LL", 90.88, 54.06, 60.04, 35.31),
            ("Core-set", 90.63, 53.89, 62.13, 36.21),
            ("ENS-varR", 90.58, 53.94, 62.15, 36.25),
            ("Random-SSL", 94.11, 56.33, 68.14, 40.19),
            ("Entropy-SSL", 94.32, 56.43, 67.54, 40.02),
            ("LL-SSL", 94.58, 56.58, 66.99, 39.70),
            ("Core-set-SSL", 94.27, 56.41, 67.17, 39.94),
            ("ENS-varR-SSL", 94.21, 56.44, 68.42, 40.40),
            ("100 %", 95.80, 57.48, 75.82, 45.49),
        ),
    ),
    "cifar-small": Published(
        "Mittal et al. 2025, table 11: accuracy at 1,000 labels and AUC@2K, of 100 classes AUC@4K "
        "(doubled in print)",
        _CIFAR,
        (
            ("Random", 61.93, 1.91, 24.13, 1.68),
            ("Entropy", 55.79, 1.76, 20.98, 1.43),
            ("LL", 55.75, 1.79, 21.27, 1.50),
            ("Core-set", 59.64, 1.85, 25.11, 1.72),
            ("ENS-varR", 61.00, 1.91, 24.31, 1.73),
            ("Random-SSL", 88.78, 2.67, 44.42, 2.80),
            ("Entropy-SSL", 76.30, 2.35, 27.46, 1.84),
            ("LL-SSL", 78.90, 2.44, 40.36, 2.57),
            ("Core-set-SSL", 84.93, 2.55, 38.37, 2.50),
            ("ENS-varR-SSL", 86.07, 2.60, 40.91, 2.65),
        ),
    ),
    "pools": Published(
        "Mittal et al. 2025, table 8: the best by scenario",
        ("", "low budget", "high budget"),
        (("diverse", "Random-SSL", "Single-SSL"), ("redundant", "Batch", "Batch-SSL")),
    ),
}


def add_published(page: Report, paper: str, *, heading: str = "", title_end: str = "") -> None:
    """Add the table of a paper, under a heading if one is given; nothing if there is no table."""
    table = PUBLISHED.get(paper)
    if table is None:
        return
    if heading:
        page.heading(heading)
    page.paragraph(table.title + title_end)
    page.table(table.head, table.rows)
