"""Label maps of squares."""

import numpy as np
from numpy.typing import NDArray

SIZE = (48, 64)


def label_map(*squares: tuple[int, int, int], side: int = 12) -> NDArray[np.uint8]:
    """Squares (label, left, top) on nothing, those given first on top."""
    labels = np.zeros(SIZE, dtype=np.uint8)
    for label, left, top in reversed(squares):
        labels[top : top + side, left : left + side] = label
    return labels
