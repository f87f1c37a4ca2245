"""Overlap of a predicted and a true mask, as intersection and union."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from kiridashi.core.errors import InputError


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
