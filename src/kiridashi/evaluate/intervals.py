"""How sure a mean is: percentile bootstrap intervals (Efron, 1979), and what a difference allows to say."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from kiridashi.core.errors import UsageError

Values = Sequence[float] | NDArray[np.float64]
# Resamples drawn at once: bounds the memory to this many rows of the sample.
CHUNK = 1000
# Percentile intervals of fewer units than this are too narrow to decide on (Davison and Hinkley, 1997,
# section 5.3: their coverage falls short by some points at this size, and fast below it).
FEW = 20
# Of fewer units than this a bootstrap has nothing to draw from: no interval is told, and nobody is ahead.
LEAST = 5


@dataclass(frozen=True)
class Interval:
    """A mean and the interval around it.

    Attributes:
        mean: of the sample itself.
        low: lower end.
        high: upper end.
        count: size of the sample.
    """

    mean: float
    low: float
    high: float
    count: int

    def __str__(self) -> str:
        return f"{self.mean:.3f} [{self.low:.3f}, {self.high:.3f}]"


class Standing(StrEnum):
    """What the interval of a paired difference allows to say of two methods."""

    AHEAD = "ahead"
    BEHIND = "behind"
    OPEN = "open"


@dataclass(frozen=True)
class Comparison:
    """One method against another on the same units.

    Attributes:
        difference: figure of the one minus that of the other, paired.
        standing: of the one; `OPEN` where the interval holds 0: no difference is shown, which is not to say
            that there is none.
        few: whether the sample is so small that the interval promises too much.
    """

    difference: Interval
    standing: Standing
    few: bool


def compare(difference: Interval, *, higher_is_better: bool = True) -> Comparison:
    """What a paired difference says.

    One is ahead only where the whole interval is on its side of 0 and there are five units or more.
    At 95 % one such statement in twenty is wrong where there is no difference at all; of many statements
    some are.

    Args:
        difference: figure of the one minus that of the other.
        higher_is_better: of the figure; else lower is.
    """
    low, high = difference.low, difference.high
    if not higher_is_better:
        low, high = -high, -low
    standing = Standing.AHEAD if low > 0 else Standing.BEHIND if high < 0 else Standing.OPEN
    if difference.count < LEAST:
        standing = Standing.OPEN
    return Comparison(difference, standing, difference.count < FEW)


def bootstrap_mean(
    values: Values, *, level: float = 0.95, resamples: int = 10_000, seed: int = 0
) -> Interval:
    """Percentile bootstrap interval of a mean.

    Args:
        values: (N,) finite numbers, one an independent unit (an episode, a picture).
        level: coverage, in (0, 1).
        resamples: number of bootstrap samples.
        seed: equal seeds give equal intervals.

    Raises:
        UsageError: no values, a value that is not finite, or a level outside (0, 1).
    """
    sample = _checked(values, level, resamples)
    return _interval(sample, np.arange(sample.size), level, resamples, seed)


def paired_difference(
    ours: Values, theirs: Values, *, level: float = 0.95, resamples: int = 10_000, seed: int = 0
) -> Interval:
    """Interval of mean(ours - theirs) over the same units in the same order.

    Pairing takes out how hard each episode is, so that a small but steady lead shows.

    Raises:
        UsageError: the two differ in length; otherwise as `bootstrap_mean`.
    """
    a, b = np.asarray(ours, dtype=np.float64), np.asarray(theirs, dtype=np.float64)
    if a.shape != b.shape:
        raise UsageError(f"paired samples must have one length, got {a.shape} and {b.shape}")
    return bootstrap_mean(a - b, level=level, resamples=resamples, seed=seed)


def grouped_mean(
    values: Values, groups: Sequence[str], *, level: float = 0.95, resamples: int = 10_000, seed: int = 0
) -> Interval:
    """Percentile bootstrap interval of a mean over units that come in groups.

    Objects of one picture, or frames of one clip, are alike: drawing them one by one would promise too
    much. Whole groups are drawn instead (the cluster bootstrap; Davison and Hinkley, 1997, section 3.8),
    and every unit of a drawn group counts.

    Args:
        values: (N,) finite numbers, one a unit; for a paired difference give the differences.
        groups: the group of each unit.
        level: coverage, in (0, 1).
        resamples: number of bootstrap samples.
        seed: equal seeds give equal intervals.

    Returns:
        The mean over all units, with `count` the number of units.

    Raises:
        UsageError: there is not one group a value; otherwise as `bootstrap_mean`.
    """
    sample = _checked(values, level, resamples)
    if len(groups) != sample.size:
        raise UsageError(f"every value needs its group, got {sample.size} values and {len(groups)} groups")
    _, members = np.unique(np.asarray(groups), return_inverse=True)
    return _interval(sample, members, level, resamples, seed)


def _checked(values: Values, level: float, resamples: int) -> NDArray[np.float64]:
    sample = np.asarray(values, dtype=np.float64)
    if sample.ndim != 1 or sample.size == 0 or not np.isfinite(sample).all():
        raise UsageError(f"an interval needs one or more finite numbers in a row, got shape {sample.shape}")
    if not 0 < level < 1 or resamples < 1:
        raise UsageError(f"level must lie in (0, 1) and resamples be positive, got {level} and {resamples}")
    return sample


def _interval(
    sample: NDArray[np.float64], members: NDArray[np.intp], level: float, resamples: int, seed: int
) -> Interval:
    """Draw whole groups with replacement; `members` numbers the group of each value from 0 on."""
    counts = np.bincount(members).astype(np.float64)
    sums = np.bincount(members, weights=sample)
    rng = np.random.default_rng(seed)
    means = np.empty(resamples)
    for start in range(0, resamples, CHUNK):
        drawn = rng.integers(0, sums.size, (min(CHUNK, resamples - start), sums.size))
        means[start : start + CHUNK] = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(sample.mean()), float(low), float(high), int(sample.size))
