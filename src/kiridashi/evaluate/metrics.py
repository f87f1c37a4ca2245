"""Overlap of predicted and true masks, one picture at a time and summed over a whole run.

Two averages are common in the literature and differ: the mean over episodes of each episode's IoU,
and the cumulative mIoU, which sums intersections and unions over all episodes of a class before it
divides (the CD-FSS protocol of PATNet, Lei et al., ECCV 2022). Big objects weigh more in the second.
Never compare one with the other.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kiridashi.core.errors import InputError

Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Overlap:
    """Pixel counts of one prediction against its truth, ignored pixels left out.

    Attributes:
        intersection: pixels inside both.
        union: pixels inside either.
        outside_both: pixels outside both (the background's intersection).
        total: pixels that count.
    """

    intersection: int
    union: int
    outside_both: int
    total: int

    @property
    def iou(self) -> float:
        """Intersection over union, 0..1; 1 when nothing is there and nothing was found."""
        return self.intersection / self.union if self.union else 1.0


def overlap(predicted: ArrayLike, truth: ArrayLike, ignore: ArrayLike | None = None) -> Overlap:
    """Count the overlap of two binary masks.

    Args:
        predicted: (H, W); any non-zero value is inside.
        truth: (H, W); any non-zero value is inside.
        ignore: (H, W) pixels that do not count (void borders, usually stored as 255).

    Raises:
        InputError: the shapes differ.
    """
    found, true = np.asarray(predicted).astype(bool), np.asarray(truth).astype(bool)
    counted = np.ones(true.shape, dtype=bool) if ignore is None else ~np.asarray(ignore).astype(bool)
    if not found.shape == true.shape == counted.shape:
        raise InputError(
            f"prediction, truth and ignored region must have one shape, got {found.shape}, {true.shape} "
            f"and {counted.shape}"
        )
    total = int(np.count_nonzero(counted))
    intersection = int(np.count_nonzero(found & true & counted))
    union = int(np.count_nonzero((found | true) & counted))
    return Overlap(intersection, union, total - union, total)


def iou(predicted: ArrayLike, truth: ArrayLike, ignore: ArrayLike | None = None) -> float:
    """Intersection over union of two (H, W) binary masks, 0..1; see `overlap`."""
    return overlap(predicted, truth, ignore).iou


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
