"""The points of the grid and the order in which they are visited."""

import numpy as np
from numpy.typing import NDArray


def grid_points(per_side: int, size: tuple[int, int]) -> NDArray[np.float64]:
    """(n * n, 2) points (x, y) in pixels of a (height, width) picture, row by row.

    Point i of a side lies at (i + 0.5) / n of it.
    """
    share = (np.arange(per_side) + 0.5) / per_side
    y, x = np.meshgrid(share * size[0], share * size[1], indexing="ij")
    return np.stack([x.ravel(), y.ravel()], axis=1)


def coarse_to_fine(per_side: int) -> NDArray[np.intp]:
    """(n * n,) order of the points: a wide lattice first, then ever narrower ones."""
    steps = np.arange(per_side)
    # The lowest set bit of an index is the width of the widest lattice it lies on.
    width = np.where(steps == 0, per_side, steps & -steps)
    lattice = np.minimum(width[:, None], width[None, :]).ravel()
    return np.argsort(-lattice, kind="stable")
