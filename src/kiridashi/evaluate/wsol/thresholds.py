"""Thresholds of maps, chosen on the tuning pictures, and what answers are worth with them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kiridashi.evaluate.metrics.levels import THRESHOLDS
from kiridashi.evaluate.metrics.localisation import RIGHT_FROM, Values, mask_iou_curves
from kiridashi.evaluate.wsol.lines import TEST, TUNE, Line
from kiridashi.evaluate.wsol.scoring import Score

# Where nothing is chosen.
FIXED = 50


@dataclass(frozen=True)
class Choice:
    """Which of `THRESHOLDS` a method uses.

    Attributes:
        box: index, for its box.
        mask: index, for its mask.
        chosen: whether tuning pictures said so; else both are the fixed one.
    """

    box: int = FIXED
    mask: int = FIXED
    chosen: bool = False


@dataclass(frozen=True, eq=False)
class Decided:
    """A test answer after all thresholds are set.

    Attributes:
        line: the answer.
        box_iou: IoU of the box with the best true box.
        mask_iou: of the mask with the true one; None: no true mask, or neither a mask nor a map.
    """

    line: Line
    box_iou: float
    mask_iou: float | None

    @property
    def score(self) -> Score:
        """What the answer is worth at every threshold."""
        assert self.line.score is not None
        return self.line.score


def box_curves(scores: Sequence[Score]) -> Values:
    """(N, T) IoU of the map's box at each threshold, of the scores that have a map."""
    rows = [one.curves.box for one in scores if one.curves is not None]
    return np.array(rows).reshape(-1, len(THRESHOLDS))


def mask_curves(scores: Sequence[Score]) -> Values:
    """(N, T) IoU of the map's mask at each threshold, of the scores that have a map and a true mask."""
    counts = [
        (one.curves.inside, one.curves.outside)
        for one in scores
        if one.curves is not None and one.curves.inside is not None and one.curves.outside is not None
    ]
    if not counts:
        return np.zeros((0, len(THRESHOLDS)))
    return mask_iou_curves(np.array([inside for inside, _ in counts]), np.array([out for _, out in counts]))


def best_for_boxes(curves: Values) -> int:
    """Index of the threshold at which most boxes are right; of equal ones that with the higher mean IoU.

    Args:
        curves: (N, T), N at least 1.
    """
    right = (curves >= RIGHT_FROM).mean(axis=0)
    # A mean IoU of at most 1 never outweighs one more right box.
    return int(np.argmax(right * (len(curves) + 1) + curves.mean(axis=0) * 0.5))


def choose(scores: Sequence[Score]) -> Choice:
    """The thresholds that are best for tuning answers; the fixed ones when there are none with a map.

    The box's by the number of right boxes, the mask's by the mean IoU.
    """
    boxes, masks = box_curves(scores), mask_curves(scores)
    if not len(boxes):
        return Choice()
    by_mask = int(np.argmax(masks.mean(axis=0))) if len(masks) else FIXED
    return Choice(best_for_boxes(boxes), by_mask, True)


def decide(lines: Sequence[Line]) -> tuple[list[Decided], list[Choice]]:
    """The test answers of one method, each with the thresholds of its own trial, and these thresholds.

    Args:
        lines: of one set and method.
    """
    trials = dict.fromkeys((line.key.seed, line.key.fold) for line in lines)
    decided: list[Decided] = []
    choices = []
    for trial in trials:
        scored = [
            line for line in lines if (line.key.seed, line.key.fold) == trial and line.score is not None
        ]
        choice = choose([line.score for line in scored if line.key.part == TUNE and line.score is not None])
        choices.append(choice)
        decided += [_decided(line, choice) for line in scored if line.key.part == TEST]
    return decided, choices


def _decided(line: Line, choice: Choice) -> Decided:
    score = line.score
    assert score is not None
    curves = score.curves
    box = score.own_iou
    if box is None:
        # An answer has a box of its own or a map.
        assert curves is not None
        box = float(curves.box[choice.box])
    mask = score.mask_iou
    if mask is None and curves is not None and curves.inside is not None and curves.outside is not None:
        mask = float(mask_iou_curves(curves.inside[None], curves.outside[None])[0, choice.mask])
    return Decided(line, box, mask)
