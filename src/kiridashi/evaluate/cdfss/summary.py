"""The table of a run: one row a set, number of shots and method, and the means over the sets."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from kiridashi.evaluate.cdfss.lines import Line
from kiridashi.evaluate.cdfss.measures import (
    fb_iou,
    in_common,
    intervals,
    mean_iou,
    miou,
    paired_intervals,
    strata,
)
from kiridashi.evaluate.intervals import Interval
from kiridashi.evaluate.metrics import CumulativeIou
from kiridashi.evaluate.tables import markdown

# Stands where a set's name would.
ALL_SETS = "mean over sets"


@dataclass(frozen=True)
class Row:
    """What one method reached on one set, or on the mean over sets.

    All shares are in 0..1; the written tables give them times 100, as the literature does.

    Attributes:
        set: name of the set, or `ALL_SETS`.
        shots: number of supports.
        method: its name.
        episodes: number with a result, all runs together.
        failed: number without.
        miou: cumulative mIoU; a mean over the runs where there are several.
        fb_iou: cumulative IoU of foreground and background.
        mean_iou: mean of the episodes' IoU.
        lead: mIoU minus that of the first method, over the episodes both have; None for the first.
        fit_seconds: mean of the episodes, for the references.
        predict_seconds: the same, for the query.
        peak_mib: largest peak of the process's memory; None where it is not known.
    """

    set: str
    shots: int
    method: str
    episodes: int
    failed: int
    miou: Interval
    fb_iou: Interval
    mean_iou: Interval
    lead: Interval | None
    fit_seconds: float
    predict_seconds: float
    peak_mib: float | None

    @property
    def seconds(self) -> float:
        """For a picture, references included."""
        return self.fit_seconds + self.predict_seconds

    def to_json(self) -> dict[str, Any]:
        """All figures, shares in 0..1."""
        return asdict(self)


def summarise(lines: Sequence[Line], sets: Sequence[str], methods: Sequence[str]) -> list[Row]:
    """Rows in the order of sets, shots and methods; a method without any result has none.

    With several sets the means over them follow, for the methods that have a result on each.

    Args:
        lines: of the run.
        sets: names, in order.
        methods: names, in order; differences are to the first.
    """
    rows: list[Row] = []
    base = methods[0] if methods else None
    shots = sorted({line.key.shots for line in lines})
    for name in sets:
        for number in shots:
            of_set = [line for line in lines if line.key.set == name and line.key.shots == number]
            rows += _rows(name, number, of_set, methods, base)
    if len(sets) > 1:
        for number in shots:
            with_all = [method for method in methods if _sets_of(rows, number, method) == len(sets)]
            of_shots = [line for line in lines if line.key.shots == number]
            rows += _rows(ALL_SETS, number, of_shots, with_all, base if base in with_all else None)
    return rows


def by_class(lines: Sequence[Line]) -> Mapping[str, float]:
    """Cumulative IoU of each class, over all lines that have a result."""
    sums = CumulativeIou()
    for line in lines:
        if line.counts is not None:
            sums.add(line.episode.label, line.counts)
    return sums.by_class


def as_markdown(rows: Sequence[Row], first: str) -> str:
    """The rows as a markdown table, shares times 100.

    Args:
        rows: of `summarise`.
        first: the method that differences are to.
    """
    titles = ["set", "shots", "method", "n", "failed", "mIoU [95 %]", "FB-IoU", "mean IoU"]
    titles += [f"mIoU minus {first} [95 %]", "s a picture", "peak MiB"]
    return markdown(titles, [_cells(row) for row in rows], names=3) + "\n"


def as_csv(rows: Sequence[Row]) -> str:
    """The rows with all figures, shares times 100."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    measures = ("miou", "fb_iou", "mean_iou", "lead")
    ends = [f"{measure}{end}" for measure in measures for end in ("", "_low", "_high")]
    facts = ("set", "shots", "method", "episodes", "failed")
    costs = ("fit_seconds", "predict_seconds", "peak_mib")
    writer.writerow([*facts, *ends, *costs])
    for row in rows:
        shares: list[str] = []
        for measure in measures:
            shares += _ends(getattr(row, measure))
        spent = [row.fit_seconds, row.predict_seconds, row.peak_mib]
        writer.writerow(
            [getattr(row, name) for name in facts]
            + shares
            + ["" if value is None else f"{value:.3f}" for value in spent]
        )
    return stream.getvalue()


def percent(interval: Interval, *, signed: bool = False) -> str:
    """`64.1 [62.0, 66.3]`: a share and its interval times 100."""
    form = "+.1f" if signed else ".1f"
    mean, low, high = (format(100 * v, form) for v in (interval.mean, interval.low, interval.high))
    return f"{mean} [{low}, {high}]"


def _rows(
    name: str, shots: int, lines: Sequence[Line], methods: Sequence[str], base: str | None
) -> list[Row]:
    of_method = {method: [line for line in lines if line.key.method == method] for method in methods}
    rows = []
    for method in methods:
        scored = [line for line in of_method[method] if line.counts is not None]
        if not scored:
            continue
        whole, both, single = intervals(strata(scored), (miou, fb_iou, mean_iou))
        peaks = [line.peak_mib for line in scored if line.peak_mib is not None]
        rows.append(
            Row(
                name,
                shots,
                method,
                len(scored),
                len(of_method[method]) - len(scored),
                whole,
                both,
                single,
                lead=None if base is None or method == base else _lead(scored, of_method[base]),
                fit_seconds=float(np.mean([line.fit_seconds for line in scored])),
                predict_seconds=float(np.mean([line.predict_seconds for line in scored])),
                peak_mib=max(peaks, default=None),
            )
        )
    return rows


def _lead(ours: Sequence[Line], theirs: Sequence[Line]) -> Interval | None:
    mine, others = in_common(ours, theirs)
    return paired_intervals(strata(mine), strata(others), (miou,))[0] if mine else None


def _sets_of(rows: Sequence[Row], shots: int, method: str) -> int:
    return sum(row.shots == shots and row.method == method for row in rows)


def _cells(row: Row) -> list[str]:
    return [
        row.set,
        str(row.shots),
        row.method,
        str(row.episodes),
        str(row.failed),
        percent(row.miou),
        f"{100 * row.fb_iou.mean:.1f}",
        f"{100 * row.mean_iou.mean:.1f}",
        "" if row.lead is None else percent(row.lead, signed=True),
        f"{row.seconds:.2f}",
        "" if row.peak_mib is None else f"{row.peak_mib:.0f}",
    ]


def _ends(interval: Interval | None) -> list[str]:
    if interval is None:
        return ["", "", ""]
    return [f"{100 * value:.3f}" for value in (interval.mean, interval.low, interval.high)]
