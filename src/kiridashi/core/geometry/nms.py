"""Non-maximum suppression of masks."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from kiridashi.core.mask import Mask


def mask_nms(masks: Sequence[Mask], scores: Sequence[float], iou: float = 0.7) -> NDArray[np.intp]:
    """Greedy suppression by mask IoU: indices kept, best score first.

    A mask falls when its IoU with a better kept one exceeds `iou`. Only overlapping boxes are
    compared pixel by pixel.
    """
    order = np.argsort(-np.asarray(scores, dtype=np.float64), kind="stable")
    kept: list[int] = []
    for candidate in order:
        if all(masks[candidate].iou(masks[better]) <= iou for better in kept):
            kept.append(int(candidate))
    return np.array(kept, dtype=np.intp)
