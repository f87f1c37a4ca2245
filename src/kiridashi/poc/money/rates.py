"""Shares of pictures with their intervals.

A bootstrap of twelve pictures without a miss would promise that there will never be one. Jeffreys' interval
(Brown, Cai and DasGupta, "Interval Estimation for a Binomial Proportion", Statistical Science 2001) does not.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from kiridashi.core.errors import UsageError
from kiridashi.report.poc.document import Rate

LEVEL = 0.95


def rate_of(events: Iterable[tuple[str, bool]], level: float = LEVEL) -> Rate:
    """The share of pictures in which something happens.

    Args:
        events: (picture, whether it happened); a picture that was asked several times counts once, by the
            share of times that it happened.
        level: coverage of the interval, in (0, 1).

    Raises:
        UsageError: no events.
    """
    by_picture: dict[str, list[bool]] = {}
    for picture, happened in events:
        by_picture.setdefault(picture, []).append(happened)
    if not by_picture:
        raise UsageError("a rate needs one or more pictures")
    happened_times = float(sum(np.mean(times) for times in by_picture.values()))
    count = len(by_picture)
    low, high = _quantiles(happened_times, count, [(1 - level) / 2, (1 + level) / 2])
    share = happened_times / count
    # The usual correction: what was never seen may be nothing, what was always seen everything.
    return Rate(share, 0.0 if share == 0 else min(low, share), 1.0 if share == 1 else max(high, share), count)


def draws(rate: Rate, number: int, seed: int) -> NDArray[np.float64]:
    """(number,) shares that are as likely as the measured one allows: of Jeffreys' posterior."""
    happened = rate.share * rate.count
    return np.random.default_rng(seed).beta(happened + 0.5, rate.count - happened + 0.5, number)


def _quantiles(happened: float, count: int, levels: list[float]) -> tuple[float, float]:
    from scipy.stats import beta

    low, high = beta.ppf(levels, happened + 0.5, count - happened + 0.5)
    return float(low), float(high)
