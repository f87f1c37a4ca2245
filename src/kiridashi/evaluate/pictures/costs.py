"""What wrong verdicts cost, and the threshold on a method's score that costs least.

A picture with the class that is passed over costs a miss, one without that is stopped a false alarm. The
threshold that is best for the measured pictures themselves is the oracle's: nobody knows it beforehand. What
a site can reach is told by cross-validation: the threshold is chosen on some pictures and paid for on others.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kiridashi.core.errors import UsageError
from kiridashi.evaluate.intervals import Interval
from kiridashi.evaluate.pictures.lines import Line
from kiridashi.evaluate.pictures.measures import Scored, scored
from kiridashi.evaluate.pictures.measuring import AS_IT_IS
from kiridashi.evaluate.pictures.resampling import Weights, draw_weights, interval
from kiridashi.evaluate.pictures.summary import ALL

FOLDS = 5

Values = NDArray[np.float64]
Bits = NDArray[np.bool_]


@dataclass(frozen=True)
class Prices:
    """What mistakes cost, in any one currency.

    Attributes:
        false_alarm: of stopping a picture without the class.
        miss: of passing one with it.
        rate: share of the pictures of the site that hold the class, 0..1; None: as among the measured
            pictures, whose share says nothing of a site's.
    """

    false_alarm: float
    miss: float
    rate: float | None = None

    def __post_init__(self) -> None:
        costs = (self.false_alarm, self.miss)
        if not all(np.isfinite(cost) and cost >= 0 for cost in costs) or not any(costs):
            raise UsageError(f"costs are numbers from 0 up, one of them above it, got {costs}")
        if self.rate is not None and not 0 < self.rate < 1:
            raise UsageError(f"the share of pictures with the class lies between 0 and 1, got {self.rate}")


@dataclass(frozen=True)
class CostRow:
    """What a picture costs on average, for one class (or the mean over classes), number of shots and method.

    Attributes:
        label: the class, or `ALL`.
        shots: number of pictures that were shown.
        method: its name.
        own: with the method's own verdict.
        chosen: with a threshold chosen by cross-validation over the pictures.
        oracle: with the threshold that is best for the measured pictures: a bound, and no promise.
        threshold: that is best for all pictures, mean over the draws; None for `ALL`, and where to stop or to
            pass everything costs least.
        stop_all: without any method, stopping every picture.
        pass_all: passing every picture.
    """

    label: str
    shots: int
    method: str
    own: Interval
    chosen: Interval
    oracle: float
    threshold: float | None
    stop_all: float
    pass_all: float

    def to_json(self) -> dict[str, Any]:
        """All figures."""
        return asdict(self)


def best_threshold(scores: Values, there: Bits, weights: Values) -> float:
    """The threshold from which on pictures are stopped that costs least.

    Candidates lie half-way between neighbouring scores and beyond both ends; of those that cost alike the
    middle one is taken.

    Args:
        scores: (N,).
        there: (N,) whether the class is in the picture.
        weights: (N,) what a mistake on each picture costs.
    """
    order = np.argsort(scores, kind="stable")
    ranked, costly, present = scores[order], weights[order], there[order]
    # Passing the first k: their misses, and the false alarms of the others.
    misses = np.concatenate([[0.0], np.cumsum(costly * present)])
    alarms = np.sum(costly * ~present) - np.concatenate([[0.0], np.cumsum(costly * ~present)])
    cuts = np.concatenate([[-np.inf], (ranked[:-1] + ranked[1:]) / 2, [np.inf]])
    # Between equal scores there is nothing to cut.
    possible = np.concatenate([[True], ranked[:-1] < ranked[1:], [True]])
    costs = np.where(possible, misses + alarms, np.inf)
    best = np.flatnonzero(costs <= costs.min() + 1e-12 * max(1.0, float(costs.min())))
    return float(cuts[best[len(best) // 2]])


def expected_costs(
    lines: Sequence[Line], methods: Sequence[str], prices: Prices, *, view: str = AS_IT_IS
) -> list[CostRow]:
    """Rows in the order of classes (their mean first), shots and methods.

    A class of which no picture without it (or with it) was measured has no row: what the other mistake costs
    is not known.

    Args:
        lines: of one set.
        methods: names, in order.
        prices: of the mistakes.
        view: of the pictures.
    """
    seen = [line for line in lines if line.key.view == view]
    rows = []
    for shots in sorted({line.key.shots for line in seen}):
        of_shots = [line for line in seen if line.key.shots == shots]
        weights = draw_weights(line.key for line in of_shots) if of_shots else None
        for method in methods:
            some = scored([line for line in of_shots if line.key.method == method])
            if some and weights is not None:
                rows += _rows(shots, method, some, prices, weights)
    order = [ALL, *dict.fromkeys(line.key.label for line in seen)]
    place = {method: number for number, method in enumerate(methods)}
    return sorted(rows, key=lambda row: (order.index(row.label), row.shots, place[row.method]))


@dataclass(frozen=True, eq=False)
class _Paid:
    """(1 + R,) costs of a class; the row of the sample first."""

    own: Values
    chosen: Values
    oracle: float
    threshold: float | None
    stop_all: float
    pass_all: float
    count: int


def _rows(
    shots: int, method: str, lines: Sequence[Scored], prices: Prices, weights: Weights
) -> list[CostRow]:
    paid: dict[str, _Paid] = {}
    for label in dict.fromkeys(one.line.key.label for one in lines):
        found = _paid([one for one in lines if one.line.key.label == label], prices, weights)
        if found is not None:
            paid[label] = found
    groups = [(ALL, list(paid))] if len(paid) > 1 else []
    groups += [(label, [label]) for label in paid]
    rows = []
    for name, members in groups:
        every = [paid[label] for label in members]
        count = sum(one.count for one in every)
        own = interval(np.mean([one.own for one in every], axis=0), count)
        chosen = interval(np.mean([one.chosen for one in every], axis=0), count)
        if own is None or chosen is None:
            continue
        rows.append(
            CostRow(
                name,
                shots,
                method,
                own,
                chosen,
                float(np.mean([one.oracle for one in every])),
                every[0].threshold if name != ALL else None,
                float(np.mean([one.stop_all for one in every])),
                float(np.mean([one.pass_all for one in every])),
            )
        )
    return rows


def _paid(lines: Sequence[Scored], prices: Prices, weights: Weights) -> _Paid | None:
    there = np.array([one.line.there for one in lines], dtype=bool)
    if there.all() or not there.any():
        return None
    scores = np.array([one.score.score for one in lines])
    said = np.array([one.score.said for one in lines], dtype=bool)
    seeds = np.array([one.line.key.seed for one in lines])
    pictures = [one.line.key.picture for one in lines]
    # One picture with the class costs as if the site had its rate of them.
    share = float(there.mean()) if prices.rate is None else prices.rate
    each = np.where(
        there, prices.miss * share / there.sum(), prices.false_alarm * (1 - share) / (~there).sum()
    )
    chosen, oracle = np.zeros(len(lines), dtype=bool), np.zeros(len(lines), dtype=bool)
    thresholds = []
    for seed in np.unique(seeds):
        # Each fit has scores of its own.
        of_fit = seeds == seed
        names = [name for name, inside in zip(pictures, of_fit, strict=True) if inside]
        chosen[of_fit] = _cross_validated(scores[of_fit], there[of_fit], each[of_fit], names)
        cut = best_threshold(scores[of_fit], there[of_fit], each[of_fit])
        oracle[of_fit] = scores[of_fit] >= cut
        thresholds.append(cut)
    rows = weights.of([one.line.key for one in lines])
    finite = [cut for cut in thresholds if np.isfinite(cut)]
    return _Paid(
        _cost(said, there, share, prices, rows),
        _cost(chosen, there, share, prices, rows),
        float(_cost(oracle, there, share, prices, rows)[0]),
        float(np.mean(finite)) if finite else None,
        (1 - share) * prices.false_alarm,
        share * prices.miss,
        len(set(pictures)),
    )


def _cost(stopped: Bits, there: Bits, share: float, prices: Prices, rows: Values) -> Values:
    """(R,) cost a picture; nan where a resample lacks pictures of one kind."""
    missed, alarmed = _rate(~stopped, there, rows), _rate(stopped, ~there, rows)
    return share * prices.miss * missed + (1 - share) * prices.false_alarm * alarmed


def _rate(mistaken: Bits, among: Bits, rows: Values) -> Values:
    total = rows @ among.astype(np.float64)
    wrong = rows @ (mistaken & among).astype(np.float64)
    return np.divide(wrong, total, out=np.full_like(total, np.nan), where=total > 0)


def _cross_validated(scores: Values, there: Bits, weights: Values, pictures: Sequence[str]) -> Bits:
    """Whether each picture is stopped, at the threshold that was best for the other folds.

    Folds hold pictures with and without the class in equal shares, and go by the order of names, so that they
    are the same for all methods.
    """
    fold = np.zeros(len(scores), dtype=np.int64)
    order = sorted(range(len(pictures)), key=lambda place: pictures[place])
    for kind in (True, False):
        for number, place in enumerate(place for place in order if there[place] == kind):
            fold[place] = number % FOLDS
    stopped = np.zeros(len(scores), dtype=bool)
    for number in np.unique(fold):
        held = fold == number
        others = held if held.all() else ~held
        cut = best_threshold(scores[others], there[others], weights[others])
        stopped[held] = scores[held] >= cut
    return stopped
