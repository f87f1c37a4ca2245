"""One answer against the truth: all that any measure of it needs, in a few hundred numbers."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kiridashi.core.errors import SizeMismatchError
from kiridashi.evaluate.metrics import iou
from kiridashi.evaluate.metrics.levels import THRESHOLDS, FloatMap
from kiridashi.evaluate.metrics.localisation import Counts, Values, histograms, rank
from kiridashi.evaluate.wsol.answers import Box, WsolAnswer
from kiridashi.evaluate.wsol.boxes import (
    best_iou,
    contour_boxes,
    inclusive,
    min_max,
    resized,
    scaled,
    threshold_boxes,
    whole_picture,
)
from kiridashi.evaluate.wsol.items import Target, nearest

# IoUs of curves are kept in this many steps, rounded down, so that none becomes right by it.
STEPS = 10_000
# Of a step, for what a float may lack of a whole number.
SLACK = 1e-6


@dataclass(frozen=True, eq=False)
class Curves:
    """What a map is worth at each of T thresholds.

    Attributes:
        box: (T,) IoU of the largest component's box with the best true box.
        contour: (T,) IoU of the largest contour's box, as MaxBoxAcc takes it.
        any_contour: (T,) IoU of the best box of all contours, as MaxBoxAccV2 takes it.
        inside: (T,) numbers of the object's pixels (see `histograms`); None: only boxes are known.
        outside: (T,) of the other pixels.
    """

    box: Values
    contour: Values
    any_contour: Values
    inside: Counts | None = None
    outside: Counts | None = None

    def to_json(self) -> dict[str, Any]:
        """Whole numbers, IoUs in `STEPS`."""
        counts = {"inside": self.inside, "outside": self.outside}
        return {
            **{name: _in_steps(getattr(self, name)) for name in ("box", "contour", "any_contour")},
            **{name: None if value is None else value.tolist() for name, value in counts.items()},
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Curves":
        """Read back what `to_json` wrote.

        Raises:
            KeyError, TypeError, ValueError: it is not that.
        """
        curves = [_row(values[name]) / STEPS for name in ("box", "contour", "any_contour")]
        inside, outside = (None if values[n] is None else _row(values[n]) for n in ("inside", "outside"))
        return cls(curves[0], curves[1], curves[2], inside, outside)


@dataclass(frozen=True, eq=False)
class Score:
    """What one answer is worth.

    Attributes:
        rank: classes that scored higher than the true one; None: the method knows no classes.
        curves: of the map; None: it has none.
        own_iou: IoU of the box that the method decided on with the best true box; None: its box is the map's.
        mask_iou: of the mask that it decided on; None: its mask is the map's, or no true mask is known.
        fallback: whether the coarse result was kept; None: there is no such choice.
        alternative_iou: of the box that was not chosen; None: there was none.
    """

    rank: int | None
    curves: Curves | None
    own_iou: float | None = None
    mask_iou: float | None = None
    fallback: bool | None = None
    alternative_iou: float | None = None


def score(answer: WsolAnswer, target: Target, label: int, also_there: Collection[int] = ()) -> Score:
    """Measure an answer.

    Args:
        answer: of a method, in pixels of the picture.
        target: the truth, at the size it is measured at.
        label: index of the class that was asked for.
        also_there: indices of the picture's other classes.

    Raises:
        SizeMismatchError: the answer's mask is of another size than the picture.
    """
    if answer.mask is not None and answer.mask.size != target.picture:
        raise SizeMismatchError(target.picture, answer.mask.size, "the answer")
    return Score(
        None if answer.scores is None else rank(answer.scores, label, also_there),
        None if answer.map is None else _curves(answer.map, target),
        _own_iou(answer, target),
        _mask_iou(answer, target),
        answer.fallback,
        None if answer.alternative is None else _box_iou(answer.alternative, target),
    )


def _curves(values: FloatMap, target: Target) -> Curves:
    # Resized first: a stretched map would not reach 0 and 1 any more.
    stretched = min_max(resized(values, target.size))
    contours = contour_boxes(stretched)
    largest = np.concatenate([one.boxes[one.largest : one.largest + 1] for one in contours])
    every = np.concatenate([one.boxes for one in contours])
    starts = np.cumsum([0, *(len(one.boxes) for one in contours[:-1])])
    box, contour = best_iou(threshold_boxes(stretched), target.boxes), best_iou(largest, target.boxes)
    any_contour = np.maximum.reduceat(best_iou(every, target.boxes), starts)
    if target.mask is None or target.ignore is None:
        return Curves(box, contour, any_contour)
    return Curves(box, contour, any_contour, *histograms(stretched, target.mask, target.ignore))


def _own_iou(answer: WsolAnswer, target: Target) -> float | None:
    if answer.boxes:
        return _box_iou(answer.boxes[0], target)
    if answer.mask is None:
        return None
    if answer.mask.is_empty:
        return float(best_iou(whole_picture(target.size), target.boxes)[0])
    return _box_iou(answer.mask.box, target)


def _box_iou(box: Box, target: Target) -> float:
    at_size = scaled(inclusive([box]), target.picture, target.size)
    return float(best_iou(at_size, target.boxes)[0])


def _mask_iou(answer: WsolAnswer, target: Target) -> float | None:
    if answer.mask is None or target.mask is None or target.ignore is None:
        return None
    return iou(nearest(answer.mask, target.size), target.mask, target.ignore)


def _in_steps(ious: Values) -> list[int]:
    steps: list[int] = np.floor(ious * STEPS + SLACK).astype(np.int64).tolist()
    return steps


def _row(values: Any) -> NDArray[np.int64]:
    row = np.asarray(values, dtype=np.int64)
    if row.shape != THRESHOLDS.shape:
        raise ValueError(f"expected {len(THRESHOLDS)} numbers, got shape {row.shape}")
    return row
