"""From lines to rows: every measure with its interval, and each method against the first."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from kiridashi.evaluate.intervals import Comparison, Interval, compare
from kiridashi.evaluate.pictures.lines import Key, Line
from kiridashi.evaluate.pictures.measures import ABSENT, MEASURES, PRESENT, Scored, Values, counted, scored
from kiridashi.evaluate.pictures.measuring import AS_IT_IS
from kiridashi.evaluate.pictures.resampling import RESAMPLES, Weights, draw_weights, interval

# Stands where a class's name would.
ALL = "mean over classes"


@dataclass(frozen=True)
class Row:
    """What one method reached on one class, or on the mean over classes.

    Attributes:
        label: the class, or `ALL`.
        shots: number of pictures that were shown.
        method: its name.
        pictures: different measured pictures with an answer, with the class and without.
        draws: of shots.
        failed: lines without an answer.
        figures: by the names of `MEASURES`; shares in 0..1, distances in pixels. A measure that no picture
            bears on is not there.
        lead: of each measure, this method against the first over what both have answered; empty for the
            first.
        fit_seconds: mean of the fits.
        predict_seconds: mean of the pictures.
        peak_mib: largest peak of the process's memory; None where it is not known.
    """

    label: str
    shots: int
    method: str
    pictures: tuple[int, int]
    draws: int
    failed: int
    figures: Mapping[str, Interval]
    lead: Mapping[str, Comparison]
    fit_seconds: float
    predict_seconds: float
    peak_mib: float | None

    def to_json(self) -> dict[str, Any]:
        """All figures, shares in 0..1."""
        return asdict(self)


def summarise(
    lines: Sequence[Line],
    methods: Sequence[str],
    *,
    view: str = AS_IT_IS,
    measures: Sequence[str] = tuple(MEASURES),
    resamples: int = RESAMPLES,
) -> list[Row]:
    """Rows in the order of classes (the mean over them first), shots and methods.

    A method without any answer for a class and number of shots has no row there. The mean over classes
    weighs each class alike, and is there when there are several.

    Args:
        lines: of one set.
        methods: names, in order; differences are to the first.
        view: of the pictures.
        measures: which figures to compute, names of `MEASURES`.
        resamples: number of bootstrap samples.
    """
    seen = [line for line in lines if line.key.view == view]
    labels = list(dict.fromkeys(line.key.label for line in seen))
    groups = [(ALL, labels)] if len(labels) > 1 else []
    groups += [(label, [label]) for label in labels]
    rows = []
    for name, members in groups:
        for shots in sorted({line.key.shots for line in seen if line.key.label in members}):
            chosen = [line for line in seen if line.key.shots == shots and line.key.label in members]
            rows += _rows(name, shots, chosen, methods, measures, resamples)
    return rows


def mean_over_classes(lines: Sequence[Scored], weights: Weights, measure: str) -> Values:
    """(1 + R,) a measure as the mean over the classes among the lines; nan where no class has it."""
    compute = MEASURES[measure].compute
    by_class: dict[str, list[Scored]] = {}
    for one in lines:
        by_class.setdefault(one.line.key.label, []).append(one)
    each = np.stack([compute(some, weights.of([one.line.key for one in some])) for some in by_class.values()])
    known = np.isfinite(each)
    total = np.where(known, each, 0).sum(axis=0)
    count = known.sum(axis=0)
    # Without one of its classes the sample's mean would be one of something else.
    complete = known | ~known[:, :1]
    return np.where(complete.all(axis=0) & (count > 0), total / np.maximum(count, 1), np.nan)


def _rows(
    name: str,
    shots: int,
    lines: Sequence[Line],
    methods: Sequence[str],
    measures: Sequence[str],
    resamples: int,
) -> list[Row]:
    of_method = {method: [line for line in lines if line.key.method == method] for method in methods}
    answered = {method: scored(every) for method, every in of_method.items()}
    weights = draw_weights((line.key for line in lines), resamples)
    first = methods[0] if methods else ""
    values = {
        method: {measure: mean_over_classes(some, weights, measure) for measure in measures}
        for method, some in answered.items()
        if some
    }
    rows = []
    for method, known in values.items():
        some = answered[method]
        fits = {(one.line.key.label, one.line.key.seed): one.line.fit_seconds for one in some}
        peaks = [one.line.peak_mib for one in some if one.line.peak_mib is not None]
        figures = {measure: interval(value, counted(some, measure)) for measure, value in known.items()}
        lead: dict[str, Comparison] = {}
        if method != first and first in values:
            lead = _lead(some, answered[first], known, values[first], weights)
        rows.append(
            Row(
                name,
                shots,
                method,
                (_pictures(some, PRESENT), _pictures(some, ABSENT)),
                len({one.line.key.seed for one in some}),
                len(of_method[method]) - len(some),
                {measure: value for measure, value in figures.items() if value is not None},
                lead,
                float(np.mean(list(fits.values()))),
                float(np.mean([one.line.predict_seconds for one in some])),
                max(peaks, default=None),
            )
        )
    return rows


def _lead(
    ours: Sequence[Scored],
    theirs: Sequence[Scored],
    our_values: Mapping[str, Values],
    their_values: Mapping[str, Values],
    weights: Weights,
) -> dict[str, Comparison]:
    """Paired differences; where one has failed, over what both have answered."""
    both = {_question(one) for one in ours} & {_question(one) for one in theirs}
    if len(both) < max(len(ours), len(theirs)):
        mine, others = ([one for one in some if _question(one) in both] for some in (ours, theirs))
        if not mine:
            return {}
        our_values = {measure: mean_over_classes(mine, weights, measure) for measure in our_values}
        their_values = {measure: mean_over_classes(others, weights, measure) for measure in our_values}
    answered = [one for one in ours if _question(one) in both]
    found = {
        measure: interval(our_values[measure] - their_values[measure], counted(answered, measure))
        for measure in our_values
    }
    return {
        measure: compare(value, higher_is_better=MEASURES[measure].higher_is_better)
        for measure, value in found.items()
        if value is not None
    }


def _question(one: Scored) -> Key:
    return one.line.key._replace(method="")


def _pictures(lines: Sequence[Scored], among: frozenset[bool]) -> int:
    return len({(one.line.key.label, one.line.key.picture) for one in lines if one.line.there in among})
