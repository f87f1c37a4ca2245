"""What a run comes to: one row a set and tracker.

The figures are means over objects, as published; the intervals are over clips, because the objects of one
clip are alike.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from kiridashi.evaluate.intervals import Interval, grouped_mean
from kiridashi.evaluate.vos.lines import Line, ObjectScore

Figure = Callable[[ObjectScore], float]


@dataclass(frozen=True)
class Recovery:
    """What happened to objects that were out of sight for a while.

    Attributes:
        returns: how often one came back.
        recovered: share of those after which J reached 0.5 before it went again.
        frames: median number of frames that it took where it did, 0 if at once; None: it never did.
        absent: number of frames and objects in which the object was not there.
        absent_right: share of those in which nothing was found.
    """

    returns: int
    recovered: float | None
    frames: float | None
    absent: int
    absent_right: float


@dataclass(frozen=True)
class Row:
    """What one tracker reached on one set; shares are in 0..1.

    Attributes:
        set: name of the set.
        method: name of the tracker.
        clips: number of clips with a result.
        objects: number of objects in them.
        failed: number of clips without a result.
        j_and_f: mean of J and F.
        j: mean region similarity.
        j_recall: share of the frames with J above 0.5.
        j_decay: J in the first quarter of a clip minus J in the last.
        f: mean boundary measure.
        f_recall: likewise.
        f_decay: likewise.
        lead: J&F minus that of the first tracker, over the objects that both followed.
        recovery: None: no object was ever out of sight.
        frames_per_second: median over clips.
    """

    set: str
    method: str
    clips: int
    objects: int
    failed: int
    j_and_f: Interval
    j: Interval
    j_recall: Interval
    j_decay: Interval
    f: Interval
    f_recall: Interval
    f_decay: Interval
    lead: Interval | None
    recovery: Recovery | None
    frames_per_second: float

    def to_json(self) -> dict[str, Any]:
        """All figures, shares in 0..1."""
        return asdict(self)


def summarise(lines: Sequence[Line], sets: Sequence[str], methods: Sequence[str]) -> list[Row]:
    """Rows in the order of sets and trackers; a tracker without any result has none.

    Args:
        lines: of the run.
        sets: names, in order.
        methods: names, in order; differences are to the first.
    """
    rows = []
    for name in sets:
        mine = {
            method: [line for line in lines if line.key.set == name and line.key.method == method]
            for method in methods
        }
        for place, method in enumerate(methods):
            if any(line.error is None for line in mine[method]):
                rows.append(_row(name, method, mine[method], mine[methods[0]] if place else None))
    return rows


def _row(name: str, method: str, lines: Sequence[Line], first: Sequence[Line] | None) -> Row:
    done = [line for line in lines if line.error is None]

    def figure(read: Figure) -> Interval:
        return grouped_mean([read(one) for _, one in _objects(done)], [clip for clip, _ in _objects(done)])

    return Row(
        name,
        method,
        len(done),
        sum(1 for _ in _objects(done)),
        len(lines) - len(done),
        figure(lambda one: one.j_and_f),
        figure(lambda one: one.region.mean),
        figure(lambda one: one.region.recall),
        figure(lambda one: one.region.decay),
        figure(lambda one: one.boundary.mean),
        figure(lambda one: one.boundary.recall),
        figure(lambda one: one.boundary.decay),
        None if first is None else _lead(done, first),
        _recovery([one for _, one in _objects(done)]),
        float(np.median([line.frames_per_second for line in done])),
    )


def _objects(lines: Sequence[Line]) -> Iterator[tuple[str, ObjectScore]]:
    return ((line.key.clip, one) for line in lines for one in line.objects)


def _lead(ours: Sequence[Line], theirs: Sequence[Line]) -> Interval | None:
    others = {(clip, one.label): one.j_and_f for clip, one in _objects(theirs)}
    pairs = [
        (clip, one.j_and_f - others[clip, one.label])
        for clip, one in _objects(ours)
        if (clip, one.label) in others
    ]
    if not pairs:
        return None
    return grouped_mean([difference for _, difference in pairs], [clip for clip, _ in pairs])


def _recovery(objects: Sequence[ObjectScore]) -> Recovery | None:
    absences = [right for one in objects for right in one.absences]
    if not absences:
        return None
    returns = [each for one in objects for each in one.returns]
    took = [each.took for each in returns if each.took is not None]
    return Recovery(
        len(returns),
        len(took) / len(returns) if returns else None,
        float(np.median(took)) if took else None,
        len(absences),
        float(np.mean(absences)),
    )
