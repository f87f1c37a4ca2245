"""Whether what `detect` sees has changed since the classes were registered.

For each class, the first instances after its last change are compared with the newest ones, and likewise the
unknown things in the pictures: a lens that gathers dust, a new lamp or a new supplier shows as lower scores,
as greater distances from the shots, or as more things that no class takes. Two samples are compared by the
test of Mann and Whitney ("On a Test of Whether one of Two Random Variables is Stochastically Larger than the
Other", 1947), which asks nothing of their distribution.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kiridashi.classes.registry import Event, EventKind, Registry, RegistryState, Statistic
from kiridashi.core.errors import UsageError

Values = NDArray[np.floating[Any]]

WINDOW = 50
# Fewer on either side say nothing.
LEAST = 10
# A drift is both hardly by chance and worth a look: the chance that a new value exceeds an old one leaves
# 0.5 by this much.
CHANCE = 0.001
EFFECT = 0.15

# Of more rows than `MOST_ROWS`, the newest `NEWEST_ROWS` are kept, and of each class the first `FIRST_ROWS`
# after its last change: what is now is compared with those.
MOST_ROWS = 200_000
NEWEST_ROWS = 150_000
FIRST_ROWS = 200

_OF_CLASS = frozenset({EventKind.ADD_SHOTS})
_OF_ALL = frozenset({EventKind.REBUILD, EventKind.ROLL_BACK})
_OF_UNKNOWN = (
    _OF_CLASS | _OF_ALL | {EventKind.ADD, EventKind.REMOVE, EventKind.BACKGROUND, EventKind.THRESHOLD}
)


class Verdict(StrEnum):
    """What two samples say."""

    STEADY = "steady"
    HIGHER = "higher"
    LOWER = "lower"
    TOO_FEW = "too few yet"


@dataclass(frozen=True)
class Shift:
    """One measure then and now.

    Attributes:
        then: its mean over the first values; None without any.
        now: its mean over the newest values.
        verdict: whether it moved.
    """

    then: float | None
    now: float | None
    verdict: Verdict

    def to_json(self) -> dict[str, Any]:
        """For `--json`."""
        return {"then": self.then, "now": self.now, "verdict": self.verdict.value}


@dataclass(frozen=True)
class ClassDrift:
    """One class.

    Attributes:
        name: of the class.
        since: its last change: what `then` begins with.
        count: instances seen since.
        score: of the instances, 0..1.
        distance: cosine distance of the instances to the mean of the shots, 0..2.
        registered: mean distance of the class's own held-aside samples, or without any of each shot to the
            others; None for a single shot.
        scores: (time, score) of all instances since, oldest first, for a plot.
        distances: (time, distance) likewise.
    """

    name: str
    since: datetime
    count: int
    score: Shift
    distance: Shift
    registered: float | None
    scores: tuple[tuple[datetime, float], ...] = field(default=(), repr=False)
    distances: tuple[tuple[datetime, float], ...] = field(default=(), repr=False)

    @property
    def worse(self) -> bool:
        """Whether instances are less sure or further from the shots than they were."""
        return self.score.verdict is Verdict.LOWER or self.distance.verdict is Verdict.HIGHER

    def to_json(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "name": self.name,
            "since": self.since.isoformat(),
            "count": self.count,
            "score": self.score.to_json(),
            "distance": self.distance.to_json(),
            "distance_at_registration": self.registered,
            "worse": self.worse,
        }


@dataclass(frozen=True)
class Drift:
    """What has changed.

    Attributes:
        classes: in the order of their addition.
        unknown: share of the proposals of a picture that no class took, 0..1.
        since: the last change that bears on what is unknown.
        pictures: seen since.
        rates: (time, share) of each, oldest first, for a plot.
    """

    classes: tuple[ClassDrift, ...]
    unknown: Shift
    since: datetime
    pictures: int
    rates: tuple[tuple[datetime, float], ...] = field(default=(), repr=False)

    @property
    def worse(self) -> bool:
        """Whether anything has moved for the worse."""
        return self.unknown.verdict is Verdict.HIGHER or any(one.worse for one in self.classes)

    def to_json(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "classes": [one.to_json() for one in self.classes],
            "unknown": self.unknown.to_json(),
            "since": self.since.isoformat(),
            "pictures": self.pictures,
            "worse": self.worse,
        }


def drift(
    state: RegistryState, history: Sequence[Event], statistics: Sequence[Statistic], window: int = WINDOW
) -> Drift:
    """Compare the first and the newest of what was seen.

    Args:
        state: of the registry now.
        history: all its events.
        statistics: all its rows, oldest first.
        window: the most values on each side; with fewer than twice as many, each side gets half of them.

    Raises:
        UsageError: a window too small to say anything.
    """
    if window < LEAST:
        raise UsageError(f"a comparison needs windows of at least {LEAST}, got {window}")
    of_class = defaultdict(list)
    for row in statistics:
        if row.score is not None:
            of_class[row.identity].append(row)
    classes = []
    for name, each in state.classes.items():
        since = _last(history, each.identity)
        rows = [row for row in of_class[each.identity] if row.time >= since]
        scores = [(row.time, row.score) for row in rows if row.score is not None]
        distances = [(row.time, row.distance) for row in rows if row.distance is not None]
        classes.append(
            ClassDrift(
                name,
                since,
                len(rows),
                _shift([value for _, value in scores], window),
                _shift([value for _, value in distances], window),
                _registered(each.shots, each.validation),
                tuple(scores),
                tuple(distances),
            )
        )
    since = _last_of_unknown(history)
    rates = _unknown_rates(row for row in statistics if row.time >= since)
    shift = _shift([rate for _, rate in rates], window)
    return Drift(tuple(classes), shift, since, len(rates), tuple(rates))


def _last(history: Sequence[Event], identity: int) -> datetime:
    """When a class was last made or changed."""
    return max(
        event.time
        for event in history
        if event.id == identity
        or event.kind in _OF_ALL
        or (event.kind in _OF_CLASS and event.facts.get("class") == identity)
    )


def thin_out(registry: Registry, most: int = MOST_ROWS, newest: int = NEWEST_ROWS) -> int:
    """Delete statistics that no comparison needs, where there are very many.

    Args:
        registry: open for writing.
        most: rows that may be there; with fewer nothing is done.
        newest: rows that are kept of more, besides the first ones of each class.

    Returns:
        Number of deleted rows.

    Raises:
        UsageError: the registry cannot be written.
    """
    if registry.statistics_count() <= most:
        return 0
    state, history = registry.state(), registry.history()
    since: dict[int | None, datetime] = {
        each.identity: _last(history, each.identity) for each in state.classes.values()
    }
    since[None] = _last_of_unknown(history)
    return registry.drop_statistics(since, newest=newest, first=FIRST_ROWS)


def _last_of_unknown(history: Sequence[Event]) -> datetime:
    """When what counts as unknown last changed."""
    return max(event.time for event in history if event.kind in _OF_UNKNOWN or event.id == 1)


def _shift(values: Sequence[float], window: int) -> Shift:
    size = min(window, len(values) // 2)
    then, now = np.array(values[:size]), np.array(values[len(values) - size :])
    if not size:
        mean = float(np.mean(values)) if values else None
        return Shift(mean, mean, Verdict.TOO_FEW)
    return Shift(float(then.mean()), float(now.mean()), _verdict(then, now))


def _verdict(then: Values, now: Values) -> Verdict:
    if len(now) < LEAST:
        return Verdict.TOO_FEW
    from scipy.stats import mannwhitneyu

    found = mannwhitneyu(now, then)
    exceeds = float(found.statistic) / (len(now) * len(then)) - 0.5
    if found.pvalue >= CHANCE or abs(exceeds) < EFFECT:
        return Verdict.STEADY
    return Verdict.HIGHER if exceeds > 0 else Verdict.LOWER


def _unknown_rates(statistics: Iterable[Statistic]) -> list[tuple[datetime, float]]:
    """(time, share of unknown) of each picture in which anything was proposed."""
    # Rows of one picture have one time; a picture that comes again later is another one.
    groups: dict[tuple[datetime, str], list[Statistic]] = {}
    for row in statistics:
        groups.setdefault((row.time, row.digest), []).append(row)
    rates = []
    for (time, _), rows in groups.items():
        known = sum(row.class_name is not None for row in rows)
        unknown = max(row.unknown for row in rows)
        if known + unknown:
            rates.append((time, unknown / (known + unknown)))
    return rates


def _registered(shots: Values, validation: Values) -> float | None:
    """Mean distance of held-aside samples to the shots' mean, else of each shot to the mean of the others."""
    if len(validation):
        return float(1 - (_unit(validation) @ _unit(_unit(shots).sum(axis=0))).mean())
    if len(shots) < 2:
        return None
    unit = _unit(shots)
    others = _unit(unit.sum(axis=0) - unit)
    return float(1 - (unit * others).sum(axis=1).mean())


def _unit(rows: Values) -> Values:
    lengths: Values = np.linalg.norm(rows, axis=-1, keepdims=True)
    unit: Values = rows / np.maximum(lengths, 1e-12)
    return unit
