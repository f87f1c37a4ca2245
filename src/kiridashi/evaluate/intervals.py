"""How sure a mean is: percentile bootstrap intervals (Efron, 1979)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kiridashi.core.errors import UsageError

Values = Sequence[float] | NDArray[np.float64]
# Resamples drawn at once: bounds the memory to this many rows of the sample.
CHUNK = 1000


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
    sample = np.asarray(values, dtype=np.float64)
    if sample.ndim != 1 or sample.size == 0 or not np.isfinite(sample).all():
        raise UsageError(f"an interval needs one or more finite numbers in a row, got shape {sample.shape}")
    if not 0 < level < 1 or resamples < 1:
        raise UsageError(f"level must lie in (0, 1) and resamples be positive, got {level} and {resamples}")
    rng = np.random.default_rng(seed)
    means = np.concatenate(
        [
            sample[rng.integers(0, sample.size, (min(CHUNK, resamples - start), sample.size))].mean(axis=1)
            for start in range(0, resamples, CHUNK)
        ]
    )
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(sample.mean()), float(low), float(high), int(sample.size))


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
