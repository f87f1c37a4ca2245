"""The measures of a comparison, each from the lines of one class, number of shots and method.

Every measure takes scored lines and weights (R, N) and gives (R,) figures; nan where no line bears on it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from kiridashi.evaluate.metrics.localisation import presence
from kiridashi.evaluate.metrics.object_precision import object_precision
from kiridashi.evaluate.pictures.lines import Line, Score

Values = NDArray[np.float64]
Compute = Callable[[Sequence["Scored"], Values], Values]


# Pictures with the class, without it, and both.
PRESENT, ABSENT, EVERY = frozenset({True}), frozenset({False}), frozenset({True, False})


@dataclass(frozen=True, eq=False)
class Scored:
    """A line with its score.

    Attributes:
        line: the line.
        score: its score, which is there.
    """

    line: Line
    score: Score


@dataclass(frozen=True)
class Measure:
    """A figure of a method.

    Attributes:
        compute: from lines and weights.
        higher_is_better: else lower is.
        share: whether it is in 0..1 and told in percent; else in pixels.
        among: the pictures that bear on it: `PRESENT`, `ABSENT` or `EVERY`.
    """

    compute: Compute
    higher_is_better: bool = True
    share: bool = True
    among: frozenset[bool] = PRESENT


def scored(lines: Sequence[Line]) -> list[Scored]:
    """The lines that have an answer."""
    return [Scored(line, line.score) for line in lines if line.score is not None]


def counted(lines: Sequence[Scored], measure: str) -> int:
    """Number of different pictures that bear on a measure, one a class."""
    among = MEASURES[measure].among
    keys = (one.line.key for one in lines if one.line.there in among)
    return len({(key.label, key.picture) for key in keys})


def mean_figure(name: str, *, everywhere: bool = False) -> Compute:
    """The mean of a figure over the pictures with the class, or over all pictures."""

    def compute(lines: Sequence[Scored], weights: Values) -> Values:
        values = np.array([float(getattr(one.score.figures, name)) for one in lines])
        return _mean(values, weights, None if everywhere else _there(lines))

    return compute


def pooled_iou(lines: Sequence[Scored], weights: Values) -> Values:
    """Sum of intersections over sum of unions, of all pictures: what is found where nothing is costs here."""
    pixels = np.array([one.score.pixels for one in lines], dtype=np.float64).reshape(-1, 2)
    inside, either = (weights @ pixels).T
    shares: Values = np.divide(inside, either, out=np.full_like(inside, np.nan), where=either > 0)
    return shares


def ap(lines: Sequence[Scored], weights: Values) -> Values:
    """COCO's mask average precision over IoU 0.50 to 0.95; objects are connected parts."""
    means: Values = object_precision([one.score.objects for one in lines], weights).mean(axis=1)
    return means


def ap50(lines: Sequence[Scored], weights: Values) -> Values:
    """The same at IoU 0.50."""
    at_half: Values = object_precision([one.score.objects for one in lines], weights, 1)[:, 0]
    return at_half


def found(lines: Sequence[Scored], weights: Values) -> Values:
    """Share of the pictures with the class whose verdict is "there": sensitivity."""
    return _mean(_said(lines), weights, _there(lines))


def quiet(lines: Sequence[Scored], weights: Values) -> Values:
    """Share of the pictures without the class whose verdict is "not there": specificity."""
    return _mean(1 - _said(lines), weights, ~_there(lines))


def auroc(lines: Sequence[Scored], weights: Values) -> Values:
    """Chance that a picture with the class scores higher than one without: area under the ROC curve."""
    there = _there(lines)
    scores = np.array([one.score.score for one in lines])
    if there.all() or not there.any():
        return np.full(len(weights), np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        return presence(scores[there], scores[~there], (weights[:, there], weights[:, ~there]))


MEASURES: Mapping[str, Measure] = MappingProxyType(
    {
        "iou": Measure(mean_figure("iou")),
        "dice": Measure(mean_figure("dice")),
        "precision": Measure(mean_figure("precision")),
        "recall": Measure(mean_figure("recall")),
        "boundary_iou": Measure(mean_figure("boundary_iou")),
        "boundary_f": Measure(mean_figure("boundary_f")),
        "j_and_f": Measure(mean_figure("j_and_f")),
        "hd95": Measure(mean_figure("hd95"), higher_is_better=False, share=False),
        "mae": Measure(mean_figure("mae", everywhere=True), higher_is_better=False, among=EVERY),
        "pooled_iou": Measure(pooled_iou, among=EVERY),
        "ap": Measure(ap, among=EVERY),
        "ap50": Measure(ap50, among=EVERY),
        "found": Measure(found),
        "quiet": Measure(quiet, among=ABSENT),
        "auroc": Measure(auroc, among=EVERY),
    }
)


def _there(lines: Sequence[Scored]) -> NDArray[np.bool_]:
    return np.array([one.line.there for one in lines], dtype=bool)


def _said(lines: Sequence[Scored]) -> Values:
    return np.array([one.score.said for one in lines], dtype=np.float64)


def _mean(values: Values, weights: Values, chosen: NDArray[np.bool_] | None) -> Values:
    rows = weights if chosen is None else weights * chosen
    total = rows.sum(axis=1)
    means: Values = np.divide(rows @ values, total, out=np.full_like(total, np.nan), where=total > 0)
    return means
