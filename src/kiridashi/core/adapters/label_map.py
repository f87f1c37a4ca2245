"""A result as one map of object numbers."""

import numpy as np
from numpy.typing import NDArray

from kiridashi.core.errors import UsageError
from kiridashi.core.segments import Segments


def label_map(segments: Segments) -> NDArray[np.uint16]:
    """(H, W) uint16: 0 background, k the k-th object (from 1); where objects overlap the first wins.

    Raises:
        UsageError: more than 65,535 objects.
    """
    if len(segments) > np.iinfo(np.uint16).max:
        raise UsageError(f"a label map holds at most 65535 objects, the result has {len(segments)}")
    numbers = np.zeros(segments.size, dtype=np.uint16)
    for number in range(len(segments), 0, -1):
        mask = segments[number - 1].mask
        numbers[mask.slices][mask.bitmap] = number
    return numbers
