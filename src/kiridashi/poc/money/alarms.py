"""Which pictures an option would stop, when its alarm threshold is set by what mistakes cost.

The threshold is chosen on other pictures than those that are counted (cross-validation): a site can reach
what it promises. It goes by the score, so that an object that the method's own verdict drops can still count.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kiridashi.evaluate.pictures import Line
from kiridashi.evaluate.pictures.costs import best_threshold
from kiridashi.poc.site.schema import Money

FOLDS = 5


@dataclass(frozen=True)
class Mistakes:
    """What happened on each picture.

    Attributes:
        missed: (picture and class, whether it was passed over), of those with the object.
        alarms: (picture, whether it was stopped), of those without any; once for each draw.
    """

    missed: tuple[tuple[str, bool], ...]
    alarms: tuple[tuple[str, bool], ...]


def stops(lines: Sequence[Line], money: Money | None) -> list[tuple[Line, bool]]:
    """The lines that have an answer, and whether the picture is stopped.

    Args:
        lines: of one method and number of shots.
        money: what mistakes cost and the share of bad parts, for the threshold that costs least; None:
            by the method's own verdict, where a find that misses the object altogether is none.
    """
    scored = [line for line in lines if line.score is not None]
    if money is None:
        return [(line, _said(line)) for line in scored]
    stopped = np.zeros(len(scored), dtype=bool)
    # Each fit has scores of its own.
    fits = [(line.key.label, line.key.seed) for line in scored]
    for fit in dict.fromkeys(fits):
        places = np.array([place for place, one in enumerate(fits) if one == fit])
        stopped[places] = _stopped([scored[place] for place in places], money)
    return list(zip(scored, stopped.tolist(), strict=True))


def mistakes(lines: Sequence[Line], money: Money | None) -> Mistakes:
    """What goes wrong on each picture; see `stops`."""
    judged = stops(lines, money)
    missed = [(f"{line.key.label}/{line.key.picture}", not alarm) for line, alarm in judged if line.there]
    # A good part is held up as soon as one of the classes is seen on it.
    held: dict[tuple[str, int], bool] = {}
    for line, alarm in judged:
        if not line.there:
            place = (line.key.picture, line.key.seed)
            held[place] = held.get(place, False) or alarm
    return Mistakes(tuple(missed), tuple((picture, alarm) for (picture, _), alarm in held.items()))


def _said(line: Line) -> bool:
    return line.score is not None and line.score.said and (not line.there or line.score.pixels[0] > 0)


def _stopped(lines: Sequence[Line], money: Money) -> NDArray[np.bool_]:
    """Whether each picture is stopped, at the threshold that was best for the other folds."""
    scores = np.array([line.score.score for line in lines if line.score is not None])
    there = np.array([line.there for line in lines])
    if there.all() or not there.any():
        return np.array([line.score is not None and line.score.said for line in lines])
    share, errors = money.volume.defect_share, money.errors
    costly = np.where(
        there, errors.miss * share / there.sum(), errors.false_alarm * (1 - share) / (~there).sum()
    )
    folds = _folds([line.key.picture for line in lines], there)
    stopped = np.zeros(len(lines), dtype=bool)
    for number in np.unique(folds):
        held = folds == number
        others = held if held.all() else ~held
        stopped[held] = scores[held] >= best_threshold(scores[others], there[others], costly[others])
    return stopped


def _folds(pictures: Sequence[str], there: NDArray[np.bool_]) -> NDArray[np.int64]:
    """A number a picture; by names, so that all methods have the same, with equal shares of both kinds."""
    folds = np.zeros(len(pictures), dtype=np.int64)
    order = sorted(range(len(pictures)), key=lambda place: pictures[place])
    for kind in (True, False):
        for number, place in enumerate(place for place in order if there[place] == kind):
            folds[place] = number % FOLDS
    return folds
