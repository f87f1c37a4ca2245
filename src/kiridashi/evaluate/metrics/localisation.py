"""What weakly supervised localisation is measured by.

Every measure takes N questions (a picture and one of its classes) and gives R figures in 0..1, one a row of
`weights` (R, N), which say how often each question counts; so a bootstrap is one call. Without weights R
is 1.

Sources: GT-known, Top-1 and Top-5 localisation as in Pro2SAM and its forerunners; MaxBoxAcc, MaxBoxAccV2 and
PxAP of Choe et al., "Evaluating weakly supervised object localization methods right", CVPR 2020 and TPAMI
2022.
"""

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from kiridashi.core.errors import InputError
from kiridashi.core.mask import Bitmap
from kiridashi.evaluate.metrics.levels import THRESHOLDS, FloatMap, levels

Values = NDArray[np.float64]
Counts = NDArray[np.int64]

# A box is right from this overlap on.
RIGHT_FROM = 0.5
# Of MaxBoxAccV2, whose figure is the mean over them.
V2_OVERLAPS = (0.3, 0.5, 0.7)


def rank(scores: FloatMap, wanted: int, also_there: Collection[int] = ()) -> int:
    """How many classes score higher than the wanted one; 0: it is the top class.

    Of classes that score alike the one with the lower index comes first.

    Args:
        scores: (C,) of a picture.
        wanted: index of the class that is asked for.
        also_there: other classes of the picture; that they score higher is no mistake.
    """
    order = [int(index) for index in np.argsort(-scores, kind="stable") if int(index) not in also_there]
    return order.index(wanted)


def localised(ious: Values, weights: Values | None = None, *, right_from: float = RIGHT_FROM) -> Values:
    """(R,) GT-known localisation: the share of questions whose box is right.

    Args:
        ious: (N,) IoU of the box with the true box that fits it best.
        weights: (R, N).
        right_from: least IoU of a right box.
    """
    return _mean(ious >= right_from, weights)


def localised_top(
    ious: Values,
    ranks: Counts,
    weights: Values | None = None,
    *,
    top: int = 1,
    right_from: float = RIGHT_FROM,
) -> Values:
    """(R,) Top-k localisation: the box is right and the class is among the `top` best.

    Args:
        ious: (N,) as in `localised`.
        ranks: (N,) of `rank`.
        weights: (R, N).
        top: k.
        right_from: least IoU of a right box.
    """
    return _mean((ious >= right_from) & (ranks < top), weights)


def max_box_acc(curves: Values, weights: Values | None = None, *, right_from: float = RIGHT_FROM) -> Values:
    """(R,) share of right boxes at the threshold that is best for all questions: MaxBoxAcc.

    The threshold is chosen on the very questions that are measured; as a bound it belongs to the map, not to
    a system that has to choose beforehand.

    Args:
        curves: (N, T) IoU of the box at each threshold, of the largest contour.
        weights: (R, N).
        right_from: least IoU of a right box.
    """
    best: Values = _mean(curves >= right_from, weights).max(axis=1)
    return best


def max_box_acc_v2(
    curves: Values, weights: Values | None = None, *, overlaps: Sequence[float] = V2_OVERLAPS
) -> Values:
    """(R,) MaxBoxAccV2: the mean of `max_box_acc` over the overlaps 0.3, 0.5 and 0.7.

    Args:
        curves: (N, T) IoU of the best box at each threshold, of all contours.
        weights: (R, N).
        overlaps: least IoUs of a right box, each with a threshold of its own.
    """
    every = [max_box_acc(curves, weights, right_from=overlap) for overlap in overlaps]
    mean: Values = np.mean(every, axis=0)
    return mean


def histograms(values: FloatMap, truth: Bitmap, ignore: Bitmap) -> tuple[Counts, Counts]:
    """(T,) numbers of the object's pixels by the highest threshold that they reach, and (T,) of the others.

    Args:
        values: (h, w) in 0..1.
        truth: (h, w) the object's pixels.
        ignore: (h, w) pixels that count in neither.

    Raises:
        InputError: the shapes differ.
    """
    if not values.shape == truth.shape == ignore.shape:
        raise InputError(
            f"map, truth and ignored region must have one shape, got {values.shape}, {truth.shape} and "
            f"{ignore.shape}"
        )
    numbers, count = levels(values), len(THRESHOLDS)
    inside = np.bincount(numbers[truth & ~ignore], minlength=count)
    outside = np.bincount(numbers[~truth & ~ignore], minlength=count)
    return inside.astype(np.int64), outside.astype(np.int64)


def pxap(inside: Counts, outside: Counts, weights: Values | None = None) -> Values:
    """(R,) area under the precision-recall curve of all pixels of all questions together: PxAP.

    From the highest threshold down, precision times what recall gains; wsolevaluation's rule. nan where no
    question has an object.

    Args:
        inside: (N, T) of `histograms`.
        outside: (N, T) likewise.
        weights: (R, N).
    """
    rows = _rows(len(inside), weights)
    found = np.cumsum((rows @ inside)[:, ::-1], axis=1)
    wrong = np.cumsum((rows @ outside)[:, ::-1], axis=1)
    said = found + wrong
    precision = np.divide(found, said, out=np.zeros_like(found), where=said > 0)
    gained = np.diff(found, axis=1, prepend=0)
    total = found[:, -1]
    area = (precision * gained).sum(axis=1)
    result: Values = np.divide(area, total, out=np.full_like(area, np.nan), where=total > 0)
    return result


def mask_iou_curves(inside: Counts, outside: Counts) -> Values:
    """(N, T) IoU of `values >= t` with the true mask, for each threshold; 1 where both are empty.

    Args:
        inside: (N, T) of `histograms`.
        outside: (N, T) likewise.
    """
    found = np.cumsum(inside[:, ::-1], axis=1)[:, ::-1]
    wrong = np.cumsum(outside[:, ::-1], axis=1)[:, ::-1]
    union = (inside.sum(axis=1, keepdims=True) + wrong).astype(np.float64)
    iou: Values = np.divide(found, union, out=np.ones(found.shape), where=union > 0)
    return iou


def mean_of(values: Values, weights: Values | None = None) -> Values:
    """(R,) mean of (N,) values."""
    return _mean(values, weights)


def presence(with_object: Values, without: Values, weights: Sequence[Values] | None = None) -> Values:
    """(R,) area under the ROC curve of "is anything there?" from the scores of pictures with and without.

    The chance that a picture with an object scores higher than one without; equal scores count half.

    Args:
        with_object: (N,) the highest class score of pictures in which a class is.
        without: (M,) likewise of those in which none is.
        weights: (R, N) and (R, M).
    """
    wins = (with_object[:, None] > without) + 0.5 * (with_object[:, None] == without)
    ours, theirs = weights or (np.ones((1, len(with_object))), np.ones((1, len(without))))
    pairs = ours.sum(axis=1) * theirs.sum(axis=1)
    area: Values = np.einsum("rn,rn->r", ours, theirs @ wins.T) / pairs
    return area


def _mean(values: NDArray[np.generic], weights: Values | None) -> Values:
    """(R,) or (R, T) weighted means over the first axis of (N,) or (N, T) values."""
    rows = _rows(len(values), weights)
    totals = rows.sum(axis=1)
    sums = rows @ values.astype(np.float64)
    mean: Values = sums / (totals if sums.ndim == 1 else totals[:, None])
    return mean


def _rows(count: int, weights: Values | None) -> Values:
    return np.ones((1, count)) if weights is None else weights
