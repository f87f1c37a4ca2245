"""Overlap summed over a whole run.

Two averages are common in the literature and differ: the mean over episodes of each episode's IoU,
and the cumulative mIoU, which sums intersections and unions over all episodes of a class before it
divides (the CD-FSS protocol of PATNet, Lei et al., ECCV 2022). Big objects weigh more in the second.
Never compare one with the other.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from kiridashi.evaluate.metrics.overlap import Overlap

Counts = NDArray[np.int64]


@dataclass
class CumulativeIou:
    """Sums of overlaps by class: cumulative mIoU and FB-IoU as PATNet's evaluation computes them.

    All figures are in 0..1 (the literature prints them times 100).
    """

    _sums: dict[str, Counts] = field(default_factory=dict)

    def add(self, label: str, counts: Overlap) -> None:
        """Take in one episode of the class `label`."""
        row = np.array(
            [counts.intersection, counts.union, counts.outside_both, counts.total - counts.intersection],
            dtype=np.int64,
        )
        self._sums[label] = self._sums.get(label, 0) + row

    @property
    def by_class(self) -> Mapping[str, float]:
        """Foreground IoU of each class: sum of intersections / sum of unions."""
        return {label: float(sums[0] / max(sums[1], 1)) for label, sums in self._sums.items()}

    @property
    def miou(self) -> float:
        """Mean of `by_class`: the cumulative mIoU; nan before the first episode."""
        values = list(self.by_class.values())
        return float(np.mean(values)) if values else float("nan")

    @property
    def fb_iou(self) -> float:
        """Mean of the foreground's and the background's IoU, all classes pooled; nan before the first."""
        if not self._sums:
            return float("nan")
        inside, union, outside, background_union = sum(self._sums.values(), np.zeros(4, dtype=np.int64))
        return float((inside / max(union, 1) + outside / max(background_union, 1)) / 2)
