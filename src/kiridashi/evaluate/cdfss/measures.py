"""Measures of a run with bootstrap intervals: episodes are drawn anew, and each measure is computed again.

The cumulative measures divide sums over all episodes of a class, so that an interval of the mean of
per-episode values would be one of something else. Resampled are the episodes of a run as a whole
(Efron, 1979); a class that a resample leaves out does not count in it. Where a figure is a mean over
several runs or sets (strata), each is resampled on its own.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kiridashi.core.errors import UsageError
from kiridashi.evaluate.cdfss.lines import Line
from kiridashi.evaluate.intervals import Interval

RESAMPLES = 2000
LEVEL = 0.95
# Weights held at once.
CHUNK = 250

Values = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Sample:
    """The scored episodes of one run of one method, sorted by class.

    Attributes:
        counts: (N, 4) intersection and union of the foreground, then of the background.
        ious: (N,) IoU of each episode.
        starts: index of each class's first episode.
        episodes: (N) which episode each row is, to pair methods.
    """

    counts: Values
    ious: Values
    starts: NDArray[np.intp]
    episodes: tuple[tuple[str, int, int, int], ...]

    @classmethod
    def of(cls, lines: Sequence[Line]) -> "Sample":
        """The sample of the lines that have a result; at least one must."""
        scored = [line for line in lines if line.counts is not None]
        if not scored:
            raise UsageError("no episode has a result")
        scored.sort(key=lambda line: (line.episode.label, line.key))
        labels = [line.episode.label for line in scored]
        overlaps = [line.counts for line in scored if line.counts is not None]
        counts = [
            (each.intersection, each.union, each.outside_both, each.total - each.intersection)
            for each in overlaps
        ]
        starts = [i for i in range(len(labels)) if i == 0 or labels[i] != labels[i - 1]]
        return cls(
            np.array(counts, dtype=np.float64),
            np.array([each.iou for each in overlaps]),
            np.array(starts),
            tuple(line.key[:-1] for line in scored),
        )

    def __len__(self) -> int:
        return len(self.ious)


Measure = Callable[[Sample, Values], Values]


def miou(sample: Sample, weights: Values) -> Values:
    """(R,) cumulative mIoU, 0..1, with each episode counted (R, N) `weights` times."""
    inside = np.add.reduceat(weights * sample.counts[:, 0], sample.starts, axis=1)
    union = np.add.reduceat(weights * sample.counts[:, 1], sample.starts, axis=1)
    drawn = np.add.reduceat(weights, sample.starts, axis=1) > 0
    ious = inside / np.maximum(union, 1)
    means: Values = np.where(drawn, ious, 0).sum(axis=1) / drawn.sum(axis=1)
    return means


def fb_iou(sample: Sample, weights: Values) -> Values:
    """(R,) mean of the cumulative IoU of foreground and background, all classes pooled, 0..1."""
    sums = weights @ sample.counts
    means: Values = (sums[:, 0] / np.maximum(sums[:, 1], 1) + sums[:, 2] / np.maximum(sums[:, 3], 1)) / 2
    return means


def mean_iou(sample: Sample, weights: Values) -> Values:
    """(R,) mean over episodes of each episode's IoU, 0..1."""
    means: Values = weights @ sample.ious / weights.sum(axis=1)
    return means


def intervals(
    strata: Sequence[Sample], measures: Sequence[Measure], *, resamples: int = RESAMPLES, seed: int = 0
) -> list[Interval]:
    """Each measure, as a mean over the strata, with its 95 % percentile interval.

    Args:
        strata: one sample a run and set.
        measures: what to compute.
        resamples: number of bootstrap samples.
        seed: equal seeds give equal intervals.

    Raises:
        UsageError: no strata.
    """
    values = _values(strata, measures)
    drawn = _resampled(strata, measures, resamples, seed)
    count = sum(map(len, strata))
    return [_interval(float(value), row, count) for value, row in zip(values, drawn, strict=True)]


def paired_intervals(
    ours: Sequence[Sample],
    theirs: Sequence[Sample],
    measures: Sequence[Measure],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> list[Interval]:
    """Each measure of ours minus theirs, resampling both together; the strata hold the same episodes.

    Raises:
        UsageError: the episodes differ, or there are none.
    """
    if [each.episodes for each in ours] != [each.episodes for each in theirs]:
        raise UsageError("a paired difference needs the same episodes on both sides")
    values = _values(ours, measures) - _values(theirs, measures)
    # The same seed and sizes draw the same episodes for both.
    drawn = _resampled(ours, measures, resamples, seed) - _resampled(theirs, measures, resamples, seed)
    count = sum(map(len, ours))
    return [_interval(float(value), row, count) for value, row in zip(values, drawn, strict=True)]


def strata(lines: Sequence[Line]) -> list[Sample]:
    """One sample a set and run, so that each weighs the same."""
    groups: dict[tuple[str, int], list[Line]] = {}
    for line in lines:
        groups.setdefault((line.key.set, line.key.seed), []).append(line)
    return [Sample.of(groups[key]) for key in sorted(groups)]


def in_common(ours: Sequence[Line], theirs: Sequence[Line]) -> tuple[list[Line], list[Line]]:
    """The lines of both methods for the episodes that both have a result of."""
    both = _scored(ours) & _scored(theirs)
    return [line for line in ours if line.key[:-1] in both], [
        line for line in theirs if line.key[:-1] in both
    ]


def _scored(lines: Sequence[Line]) -> set[tuple[str, int, int, int]]:
    return {line.key[:-1] for line in lines if line.counts is not None}


def _values(strata: Sequence[Sample], measures: Sequence[Measure]) -> Values:
    if not strata:
        raise UsageError("no episode has a result")
    whole = [[measure(each, np.ones((1, len(each))))[0] for each in strata] for measure in measures]
    means: Values = np.mean(np.array(whole), axis=1)
    return means


def _resampled(strata: Sequence[Sample], measures: Sequence[Measure], resamples: int, seed: int) -> Values:
    """(measures, resamples) means over the strata."""
    total = np.zeros((len(measures), resamples))
    for index, sample in enumerate(strata):
        for part, weights in _weights(len(sample), resamples, [seed, index]):
            total[:, part] += [measure(sample, weights) for measure in measures]
    return total / len(strata)


def _weights(size: int, resamples: int, seed: Sequence[int]) -> Iterator[tuple[slice, Values]]:
    """How often each unit is drawn, a chunk of resamples at a time."""
    rng = np.random.default_rng(seed)
    for start in range(0, resamples, CHUNK):
        rows = min(CHUNK, resamples - start)
        drawn = rng.integers(0, size, (rows, size)) + np.arange(rows)[:, None] * size
        counts = np.bincount(drawn.ravel(), minlength=rows * size).reshape(rows, size)
        yield slice(start, start + rows), counts.astype(np.float64)


def _interval(value: float, drawn: Values, count: int) -> Interval:
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(value, float(low), float(high), count)
