"""What a prediction is measured by, one idea a module; every figure with its source.

Overlap (`overlap`, `confusion`), outlines (`boundary`, `boundary_iou`, `surface`), probability maps
(`absolute_error`), objects (`average_precision`), videos (`j_and_f`), weak localisation (`localisation`),
sums over a run (`cumulative`), and all of a picture's figures together (`figures`).

Empty masks have one convention: where nothing is there and nothing was found every share is 1 and every
distance 0; where only one of the two masks is empty every share is 0 and the distance is the picture's
diagonal.
"""

from kiridashi.evaluate.metrics.cumulative import CumulativeIou
from kiridashi.evaluate.metrics.overlap import Overlap, iou, overlap

__all__ = ["CumulativeIou", "Overlap", "iou", "overlap"]
