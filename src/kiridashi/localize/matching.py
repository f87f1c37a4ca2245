"""How well masks fit a coarse map: one grid for all, and four measures of likeness."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kiridashi.core.mask import Mask
from kiridashi.localize.settings import Cells, Measure

FloatMap = NDArray[np.float32]
Scores = NDArray[np.float64]

# Enough for the pictures of a run, which mostly have one size.
KEPT_LENGTHS = 16
HALF = 0.5


def reduce_masks(masks: Sequence[Mask], side: int) -> FloatMap:
    """How much of each cell of a grid over the picture each mask covers.

    Each mask is reduced from its crop; no mask is ever laid out at the picture's size.

    Args:
        masks: N masks of pictures of any sizes.
        side: of the grid.

    Returns:
        (N, side, side) float32 in [0, 1]: area averages; above 0 exactly where any pixel is inside.
    """
    reduced = np.zeros((len(masks), side, side), dtype=np.float32)
    for row, mask in enumerate(masks):
        if mask.bitmap.size:
            rows, columns = mask.slices
            down = _cells(mask.size[0], side)[rows].T @ mask.bitmap.astype(np.float32)
            reduced[row] = (_cells(mask.size[1], side)[columns].T @ down.T).T
    return np.minimum(reduced, 1.0, out=reduced)


@lru_cache(maxsize=KEPT_LENGTHS)
def _cells(length: int, side: int) -> Any:
    """(length, side) sparse: the share of each of `side` equal cells that each of `length` pixels fills."""
    from scipy import sparse

    edges = np.arange(side + 1, dtype=np.float64) * length / side
    pixels = np.arange(length, dtype=np.float64)[:, None]
    # What rounding leaves of a pixel that only touches a cell's edge is no overlap.
    overlap = np.minimum(pixels + 1, edges[None, 1:]) - np.maximum(pixels, edges[None, :-1])
    overlap[overlap < 1e-9] = 0
    return sparse.csr_matrix((overlap * side / length).astype(np.float32))


def similarity(
    target: FloatMap, inside: FloatMap, measure: Measure, level: float = 0.5, cells: Cells = "half"
) -> Scores:
    """The likeness of a coarse map to each of N masks.

    The paper (Xi et al., ECCV 2024) says "pixel-level similarity metric" and no formula; its released code
    takes the hard IoU at 14 x 14. With M the map, m_i the masks, sums over cells:

    - `iou`: of M > level with the mask's cells;
    - `soft-iou`: sum(min(M, m_i)) / sum(max(M, m_i));
    - `cosine`: of M and m_i;
    - `inside-outside`: mean of M inside m_i minus its mean outside.

    Args:
        target: (S, S) float32 in [0, 1].
        inside: (N, S, S) float32 in [0, 1], from `reduce_masks`.
        measure: which.
        level: of the map, for the hard IoU.
        cells: for the hard IoU, which cells a mask has: those with `any` pixel in it or those with `half`.

    Returns:
        (N,) float64 in [0, 1], of `inside-outside` in [-1, 1]. A mask without cells, and for
        `inside-outside` one with nothing outside, scores 0, and so does every mask on a map of zeros.
    """
    flat, masks = target.ravel().astype(np.float64), inside.reshape(len(inside), target.size)
    if measure == "iou":
        hard = masks > 0 if cells == "any" else masks >= HALF
        return _iou(flat > level, hard)
    if measure == "soft-iou":
        both = np.minimum(target.ravel(), masks).sum(axis=1, dtype=np.float64)
        return _ratio(both, flat.sum() + _area(masks) - both)
    if measure == "cosine":
        lengths = np.sqrt(np.einsum("np,np->n", masks, masks, dtype=np.float64))
        return np.minimum(_ratio(masks @ flat, lengths * np.sqrt(flat @ flat)), 1.0)
    within, area = masks @ flat, _area(masks)
    outside = flat.size - area
    parted = (area > 0) & (outside > 1e-6 * flat.size)
    difference = _ratio(within, area) - _ratio(flat.sum() - within, outside)
    return np.where(parted, difference, 0.0)


def _iou(region: NDArray[np.bool_], masks: NDArray[np.bool_]) -> Scores:
    # Counts of cells are whole numbers that float32 holds exactly.
    both = (masks.astype(np.float32) @ region.astype(np.float32)).astype(np.float64)
    return _ratio(both, np.count_nonzero(region) + np.count_nonzero(masks, axis=1) - both)


def _area(masks: FloatMap) -> Scores:
    area: Scores = masks.sum(axis=1, dtype=np.float64)
    return area


def _ratio(above: Scores, below: Scores) -> Scores:
    ratio: Scores = np.divide(above, below, out=np.zeros_like(above), where=below > 0)
    return ratio
