"""The table of a run: means over the seeds, with intervals."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean, median
from typing import Any

from kiridashi.core.errors import UsageError
from kiridashi.evaluate.ifsis.run import Outcome
from kiridashi.evaluate.ifsis.splits import Split
from kiridashi.evaluate.intervals import Interval, bootstrap_mean, paired_difference
from kiridashi.evaluate.metrics.average_precision import Precision
from kiridashi.evaluate.tables import markdown

Figure = Callable[[Precision], float]


@dataclass(frozen=True)
class Row:
    """What one method reached with one number of shots.

    Shares are in 0..1, means over the seeds with 95 % bootstrap intervals of that mean: they say how much
    the draw matters, not how much the choice of test pictures does. With one seed they have no width.

    Attributes:
        method: its name.
        setting: "novel" or "all".
        shots: K; 0: base classes only.
        ap: over all classes of the setting.
        ap50: likewise at IoU 0.5.
        bap: over base classes; None in the setting "novel".
        bap50: likewise at IoU 0.5.
        nap: over novel classes; None before they came.
        nap50: likewise at IoU 0.5.
        forgetting: base AP before minus after novel classes came.
        lead: novel AP of the first method minus that of this one, paired by seed; None for the first.
        add_seconds: of adding one class, the median over the seeds; embedding not counted.
        seeds: number of draws.
    """

    method: str
    setting: str
    shots: int
    ap: Interval
    ap50: Interval
    bap: Interval | None
    bap50: Interval | None
    nap: Interval | None
    nap50: Interval | None
    forgetting: Interval | None
    lead: Interval | None
    add_seconds: float
    seeds: int

    def to_json(self) -> dict[str, Any]:
        """All figures, shares in 0..1."""
        return asdict(self)


def summarise(outcomes: Sequence[Outcome], split: Split) -> list[Row]:
    """Rows by setting, shots and method, in the order in which they occur.

    Raises:
        UsageError: methods with different seeds.
    """
    groups: dict[tuple[str, int, str], list[Outcome]] = {}
    for one in sorted(outcomes, key=lambda one: one.seed):
        groups.setdefault((one.setting, one.shots, one.method), []).append(one)
    methods = list(dict.fromkeys(one.method for one in outcomes))
    order = dict.fromkeys((one.setting, one.shots) for one in outcomes)
    return [
        _row(key, groups[key], groups, methods[0], split)
        for setting, shots in sorted(order)
        for key in ((setting, shots, method) for method in methods)
        if key in groups
    ]


def as_markdown(rows: Sequence[Row]) -> str:
    """The rows as a markdown table, precisions times 100."""
    first = rows[0].method if rows else ""
    titles = ["setting", "shots", "method", "AP", "AP50", "bAP", "nAP", "nAP50", "forgetting"]
    titles += [f"nAP of {first} minus this", "ms to add a class"]
    return markdown(titles, [_cells(row) for row in rows], names=3)


def _row(
    key: tuple[str, int, str],
    mine: Sequence[Outcome],
    groups: dict[tuple[str, int, str], list[Outcome]],
    first: str,
    split: Split,
) -> Row:
    setting, shots, method = key
    together = setting == "all"
    before = groups.get((setting, 0, method), []) if together and shots else []
    rivals = groups[setting, shots, first] if shots and method != first else []
    base, novel = split.base if together else (), split.novel if shots else ()
    return Row(
        method,
        setting,
        shots,
        _mean(mine, (*base, *novel), _ap),
        _mean(mine, (*base, *novel), _ap50),
        _mean(mine, base, _ap) if base else None,
        _mean(mine, base, _ap50) if base else None,
        _mean(mine, novel, _ap) if novel else None,
        _mean(mine, novel, _ap50) if novel else None,
        _difference(before, mine, base) if before else None,
        _difference(rivals, mine, novel) if rivals else None,
        median(one.add_seconds for one in mine),
        len(mine),
    )


def _ap(precision: Precision) -> float:
    return precision.ap


def _ap50(precision: Precision) -> float:
    return precision.ap50


def _values(outcomes: Iterable[Outcome], labels: Sequence[str], figure: Figure) -> list[float]:
    # COCO leaves out a class of which there is no instance to find.
    return [
        fmean(figure(one.precision[label]) for label in labels if label in one.precision) for one in outcomes
    ]


def _mean(outcomes: Sequence[Outcome], labels: Sequence[str], figure: Figure) -> Interval:
    return bootstrap_mean(_values(outcomes, labels, figure))


def _difference(ours: Sequence[Outcome], theirs: Sequence[Outcome], labels: Sequence[str]) -> Interval:
    if [one.seed for one in ours] != [one.seed for one in theirs]:
        raise UsageError("a paired difference needs the same seeds on both sides")
    return paired_difference(_values(ours, labels, _ap), _values(theirs, labels, _ap))


def _cells(row: Row) -> list[str]:
    shares = (row.ap, row.ap50, row.bap, row.nap, row.nap50)
    return [
        row.setting,
        str(row.shots),
        row.method,
        *(_percent(one) for one in shares),
        _percent(row.forgetting, "+"),
        _percent(row.lead, "+"),
        f"{1000 * row.add_seconds:.2f}" if row.shots else "",
    ]


def _percent(interval: Interval | None, sign: str = "") -> str:
    if interval is None:
        return ""
    mean, low, high = (f"{100 * value:{sign}.1f}" for value in (interval.mean, interval.low, interval.high))
    return f"{mean} [{low}, {high}]"
