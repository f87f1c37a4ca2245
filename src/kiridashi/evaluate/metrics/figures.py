"""Every figure of one mask against its truth."""

from dataclasses import dataclass

import numpy as np

from kiridashi.core.mask import Mask
from kiridashi.evaluate.metrics.absolute_error import mean_absolute_error
from kiridashi.evaluate.metrics.boundary import boundary_f
from kiridashi.evaluate.metrics.boundary_iou import boundary_iou
from kiridashi.evaluate.metrics.confusion import confusion
from kiridashi.evaluate.metrics.surface import hd95


@dataclass(frozen=True)
class Figures:
    """What a mask is worth; for empty masks see `kiridashi.evaluate.metrics`.

    Attributes:
        iou: intersection over union, 0..1; the J of J&F.
        dice: 2 IoU / (1 + IoU), 0..1.
        precision: share of the found pixels that are right, 0..1.
        recall: share of the true pixels that were found, 0..1.
        boundary_iou: of the regions along the outlines, 0..1.
        boundary_f: F measure of the outlines, 0..1; the F of J&F.
        hd95: 95th percentile of the distance between the outlines, pixels.
        mae: share of the picture's pixels that are wrong, 0..1.
    """

    iou: float
    dice: float
    precision: float
    recall: float
    boundary_iou: float
    boundary_f: float
    hd95: float
    mae: float

    @property
    def j_and_f(self) -> float:
        """Mean of region similarity and boundary measure, 0..1."""
        return (self.iou + self.boundary_f) / 2


def figures_of(found: Mask, truth: Mask, ignore: Mask | None = None) -> Figures:
    """Measure a mask.

    Ignored pixels count as outside of both.

    Args:
        found: the prediction.
        truth: the true mask.
        ignore: pixels that do not count.

    Raises:
        InputError: the masks are of different pictures.
    """
    ours, theirs = found.to_array(), truth.to_array()
    void = np.zeros_like(theirs) if ignore is None else ignore.to_array()
    counts = confusion(ours, theirs, void)
    ours, theirs = ours & ~void, theirs & ~void
    return Figures(
        iou=float(counts.iou),
        dice=float(counts.dice),
        precision=float(counts.precision),
        recall=float(counts.recall),
        boundary_iou=boundary_iou(ours, theirs),
        boundary_f=boundary_f(ours, theirs),
        hd95=hd95(ours, theirs),
        mae=mean_absolute_error(ours, theirs, void),
    )
