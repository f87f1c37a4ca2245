"""COCO's mask average precision of one class, with weights, so that a bootstrap is one call.

Which detection meets which object is settled picture by picture, by the rule of pycocotools; how often a
picture counts only changes the sums. With every picture counted once, the result is that of pycocotools.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kiridashi.core.mask import Mask
from kiridashi.evaluate.metrics.average_precision import MOST_DETECTIONS

Values = NDArray[np.float64]
# IoU thresholds and recalls of COCO.
OVERLAPS: Values = np.linspace(0.5, 0.95, 10)
RECALLS: Values = np.linspace(0, 1, 101)
# Rows times right detections that are held at once.
MOST_CELLS = 2**21


@dataclass(frozen=True)
class Matched:
    """The objects found in one picture, against those that are there.

    Attributes:
        scores: (D,) of the detections, best first.
        right: (D,) bit t is set where the detection meets an object at `OVERLAPS[t]`.
        wanted: number of true objects.
    """

    scores: tuple[float, ...]
    right: tuple[int, ...]
    wanted: int


def match(found: Sequence[tuple[Mask, float]], truth: Sequence[Mask]) -> Matched:
    """Settle which detection meets which object, greedily from the best score on, at each threshold.

    Args:
        found: masks with scores; the best 100 count.
        truth: masks of the same picture.
    """
    from pycocotools import mask as codec

    kept = sorted(found, key=lambda one: -one[1])[:MOST_DETECTIONS]
    bits = np.zeros(len(kept), dtype=np.int64)
    if kept and truth:
        runs = [mask.to_rle() for mask, _ in kept], [mask.to_rle() for mask in truth]
        ious = np.asarray(codec.iou(*runs, [0] * len(truth)))
        for place, overlap in enumerate(OVERLAPS):
            bits |= _met(ious, overlap).astype(np.int64) << place
    return Matched(tuple(float(score) for _, score in kept), tuple(int(b) for b in bits), len(truth))


def object_precision(
    pictures: Sequence[Matched], weights: Values | None = None, overlaps: int = len(OVERLAPS)
) -> Values:
    """(R, T) average precision at the first T of `OVERLAPS`; nan where no object is there.

    Args:
        pictures: P of one class.
        weights: (R, P) how often each picture counts; None: once, R is 1.
        overlaps: T.
    """
    rows = np.ones((1, len(pictures))) if weights is None else weights
    wanted = rows @ np.array([one.wanted for one in pictures], dtype=np.float64)
    scores = np.array([score for one in pictures for score in one.scores])
    owner = np.repeat(np.arange(len(pictures)), [len(one.scores) for one in pictures])
    bits = np.array([bit for one in pictures for bit in one.right], dtype=np.int64)
    order = np.argsort(-scores, kind="stable")
    right = (bits[order] >> np.arange(overlaps)[:, None]) & 1
    values = np.stack([_area(rows, owner[order], hits, wanted) for hits in right], axis=1)
    return np.where(wanted[:, None] > 0, values, np.nan)


def _met(ious: Values, overlap: float) -> NDArray[np.bool_]:
    """(D,) whether each detection, in order, gets a true object that is still free."""
    free = np.ones(ious.shape[1], dtype=bool)
    met = np.zeros(len(ious), dtype=bool)
    for number, row in enumerate(ious):
        open_ious = np.where(free, row, -1.0)
        # Of objects that fit alike the last one is taken, as pycocotools does.
        best = len(open_ious) - 1 - int(np.argmax(open_ious[::-1]))
        if open_ious[best] >= min(overlap, 1 - 1e-10):
            met[number], free[best] = True, False
    return met


def _area(rows: Values, owner: NDArray[np.intp], hits: NDArray[np.int64], wanted: Values) -> Values:
    """(R,) mean precision at `RECALLS`, interpolated from the right.

    Between two right detections precision only falls, so that it is asked at the right ones alone: their
    number is bounded by that of the objects, however many specks a method finds.

    Args:
        rows: (R, P) how often each picture counts.
        owner: (D,) picture of each detection, best first.
        hits: (D,) 1 where it is right.
        wanted: (R,) objects.
    """
    from scipy.sparse import csr_array

    places = np.flatnonzero(hits)
    if places.size == 0:
        return np.zeros(len(rows))
    before = owner[: places[-1] + 1]
    steps = np.searchsorted(places, np.arange(before.size))
    said_each = csr_array((np.ones(before.size), (before, steps)), shape=(rows.shape[1], places.size))
    area = np.empty(len(rows))
    chunk = max(1, MOST_CELLS // places.size)
    for start in range(0, len(rows), chunk):
        part = slice(start, start + chunk)
        said = np.cumsum((said_each.T @ rows[part].T).T, axis=1)
        true = np.cumsum(rows[part][:, owner[places]], axis=1)
        precision = true / np.maximum(said, np.spacing(1.0))
        envelope = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
        recall = true / np.maximum(wanted[part], 1)[:, None]
        reached = np.searchsorted(RECALLS, recall.ravel(), side="right").reshape(recall.shape)
        area[part] = (envelope * np.diff(reached, axis=1, prepend=0)).sum(axis=1) / len(RECALLS)
    return area
