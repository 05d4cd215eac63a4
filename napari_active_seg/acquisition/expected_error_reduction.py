"""Label propagation over a similarity graph, and the query with the fewest errors.

Zhu, Lafferty and Ghahramani 2003: a Gaussian field over images, harmonic where nothing is labelled.
With weights W, D their sums and L = D - W the labels of the rest are f_u = L_uu^-1 W_ul f_l.
Labelling k turns f_u into f_u + (y - f_k) (L_uu^-1)_k / (L_uu^-1)_kk; its risk is the sum of
min(f, 1 - f), and what is expected of k is the mean of both answers' risks by f_k.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_active_seg.errors import BadInputError

__all__ = ["LabelField", "fit_label_field", "keep_nearest", "rbf_similarity"]

#: A tie to one half, for graphs in which nothing connects an image with a label.
_LEAST = 1e-12


def rbf_similarity(
    one: NDArray[np.floating], other: NDArray[np.floating], *, width: float
) -> NDArray[np.float64]:
    """Return exp(-|x - y|^2 / width^2) of rows ``one`` (N, F) and ``other`` (M, F) as (N, M)."""
    squares = (one**2).sum(1)[:, None] + (other**2).sum(1)[None, :] - 2 * one @ other.T
    found: NDArray[np.float64] = np.exp(-np.maximum(squares, 0) / width**2).astype(np.float64)
    return found


def keep_nearest(similarity: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Return ``similarity`` (N, M) with what is not among the ``count`` most alike of a row at 0.

    In a full graph the many that are far outweigh the few that are near.

    >>> keep_nearest(np.array([[0.1, 0.9, 0.5]]), 2)
    array([[0. , 0.9, 0.5]])
    """
    if count >= similarity.shape[1]:
        return similarity
    near = np.argpartition(-similarity, count - 1, axis=1)[:, :count]
    kept = np.zeros_like(similarity)
    np.put_along_axis(kept, near, np.take_along_axis(similarity, near, axis=1), axis=1)
    return kept


@dataclass(frozen=True, slots=True, eq=False)
class LabelField:
    """Predictions of the graph for unlabelled images, and how one label would change them."""

    values: NDArray[np.float64]  #: probability of the second class (U,)
    inverse: NDArray[np.float64]  #: L_uu^-1 (U, U)

    @property
    def expected_risk(self) -> NDArray[np.float64]:
        """Expected number of errors after labelling each unlabelled image (U,)."""
        f, g = self.values, self.inverse
        change = g / np.diagonal(g)  # column k: what y_k - f_k is multiplied by
        risks = []
        for answer in (0.0, 1.0):
            after = f[:, None] + (answer - f)[None, :] * change
            after = np.clip(after, 0.0, 1.0)
            risks.append(np.minimum(after, 1.0 - after).sum(axis=0))
        found: NDArray[np.float64] = (1.0 - f) * risks[0] + f * risks[1]
        return found


def fit_label_field(
    similarity: NDArray[np.float64], labelled: NDArray[np.int64], labels: NDArray[np.integer]
) -> LabelField:
    """Return the harmonic field of a graph (N, N) with ``labels`` 0 or 1 at ``labelled``.

    Images are in ascending order of those that are not labelled.

    >>> line = np.exp(-np.abs(np.subtract.outer(np.arange(3.0), np.arange(3.0))))
    >>> fit_label_field(line, np.array([0, 2]), np.array([0, 1])).values.round(3)
    array([0.5])
    """
    n = len(similarity)
    if similarity.shape != (n, n) or len(labelled) != len(labels) or not len(labels):
        raise BadInputError("a field needs a square graph and a label at least")
    rest = np.setdiff1d(np.arange(n), labelled)
    weights = similarity - np.diag(np.diagonal(similarity))
    degrees = weights.sum(axis=1)
    laplacian = np.diag(degrees[rest] + _LEAST) - weights[np.ix_(rest, rest)]
    inverse: NDArray[np.float64] = np.linalg.inv(laplacian).astype(np.float64)
    from_labelled = weights[np.ix_(rest, labelled)] @ labels.astype(np.float64)
    values = inverse @ (from_labelled + 0.5 * _LEAST)
    return LabelField(np.clip(values, 0.0, 1.0), inverse)
