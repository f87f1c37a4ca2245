"""Pixels counted right and wrong, for one pair of masks or many at once, and the shares made of them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kiridashi.core.errors import InputError

Counts = NDArray[np.int64]
Shares = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Confusion:
    """Pixel counts of N predictions against their truths, all int64 of one shape (N, or any other).

    The counts add up: the sum of two confusions is that of their pictures together.

    Attributes:
        true_positive: inside both.
        false_positive: found where nothing is.
        false_negative: there and not found.
        true_negative: outside both.
    """

    true_positive: Counts
    false_positive: Counts
    false_negative: Counts
    true_negative: Counts

    @property
    def iou(self) -> Shares:
        """TP / (TP + FP + FN), the Jaccard index."""
        return _share(self.true_positive, self.false_positive + self.false_negative)

    @property
    def dice(self) -> Shares:
        """2 TP / (2 TP + FP + FN), the F1 score of the pixels; 2 IoU / (1 + IoU)."""
        return _share(2 * self.true_positive, self.false_positive + self.false_negative)

    @property
    def precision(self) -> Shares:
        """TP / (TP + FP); where nothing was found 1 if nothing is there, else 0."""
        found = self.true_positive + self.false_positive
        share = _share(self.true_positive, self.false_positive)
        return np.where((found == 0) & (self.false_negative > 0), 0.0, share)

    @property
    def recall(self) -> Shares:
        """TP / (TP + FN); where nothing is there 1 if nothing was found, else 0."""
        there = self.true_positive + self.false_negative
        share = _share(self.true_positive, self.false_negative)
        return np.where((there == 0) & (self.false_positive > 0), 0.0, share)


def confusion(predicted: ArrayLike, truth: ArrayLike, ignore: ArrayLike | None = None) -> Confusion:
    """Count the pixels of one or more pairs of masks.

    Args:
        predicted: (..., H, W); any non-zero value is inside.
        truth: likewise, of the same shape.
        ignore: likewise, pixels that do not count (void borders).

    Returns:
        Counts of shape (...).

    Raises:
        InputError: the shapes differ, or have fewer than two dimensions.
    """
    found, true = np.asarray(predicted).astype(bool), np.asarray(truth).astype(bool)
    counted = np.ones_like(true) if ignore is None else ~np.asarray(ignore).astype(bool)
    if not found.shape == true.shape == counted.shape or found.ndim < 2:
        raise InputError(
            "prediction, truth and ignored region must have one shape (..., H, W), got "
            f"{found.shape}, {true.shape} and {counted.shape}"
        )
    both, either = found & true & counted, (found | true) & counted
    inside, extent = _count(both), _count(either)
    found_area, true_area = _count(found & counted), _count(true & counted)
    return Confusion(inside, found_area - inside, true_area - inside, _count(counted) - extent)


def _count(values: NDArray[np.bool_]) -> Counts:
    counts: Counts = np.asarray(np.count_nonzero(values, axis=(-2, -1)), dtype=np.int64)
    return counts


def _share(right: Counts, wrong: Counts) -> Shares:
    total = np.asarray(right + wrong, dtype=np.float64)
    return np.divide(right, total, out=np.ones_like(total), where=total > 0)
