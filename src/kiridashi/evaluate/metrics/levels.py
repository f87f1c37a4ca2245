"""Thresholds on a map of scores, and which of them each value reaches."""

import numpy as np
from numpy.typing import NDArray

FloatMap = NDArray[np.float32]
Levels = NDArray[np.uint8]

# The steps of wsolevaluation's command line.
THRESHOLDS: NDArray[np.float64] = np.arange(101) / 100


def levels(values: FloatMap, thresholds: NDArray[np.float64] = THRESHOLDS) -> Levels:
    """Number of the highest threshold that each value reaches: `values >= thresholds[k]` is `levels >= k`.

    Args:
        values: (h, w) in 0..1.
        thresholds: ascending, the first 0, at most 256.
    """
    found: Levels = (np.searchsorted(thresholds, values.astype(np.float64), side="right") - 1).astype(
        np.uint8
    )
    return found
