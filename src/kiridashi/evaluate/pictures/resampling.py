"""How sure the figures of a comparison are: pictures and draws of shots are both drawn anew.

A figure depends on which pictures were measured and on which shots were learned from. One picture answers
once in each draw, so that answers are not independent of each other. Pictures and seeds are therefore drawn
with replacement separately, and an answer counts as often as its picture times its seed (the pigeonhole
bootstrap of Owen, Annals of Applied Statistics 2007). With one seed it is the ordinary bootstrap over
pictures, and says nothing of other shots.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kiridashi.evaluate.intervals import Interval
from kiridashi.evaluate.pictures.lines import Key

RESAMPLES = 1000
LEVEL = 0.95

Values = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Weights:
    """How often each picture and each seed is drawn; the first row is the sample itself, once each.

    Attributes:
        pictures: place of each picture.
        seeds: place of each seed.
        of_pictures: (1 + R, P).
        of_seeds: (1 + R, S).
    """

    pictures: dict[str, int]
    seeds: dict[int, int]
    of_pictures: Values
    of_seeds: Values

    def of(self, keys: Sequence[Key]) -> Values:
        """(1 + R, N) how often the answer of each key counts."""
        rows = [self.pictures[key.picture] for key in keys]
        weights: Values = self.of_pictures[:, rows] * self.of_seeds[:, [self.seeds[key.seed] for key in keys]]
        return weights


def draw_weights(keys: Iterable[Key], resamples: int = RESAMPLES, seed: int = 0) -> Weights:
    """Resample the pictures and the seeds of some answers; equal seeds give equal weights."""
    every = list(keys)
    pictures, seeds = sorted({key.picture for key in every}), sorted({key.seed for key in every})
    rng = np.random.default_rng(seed)
    of_pictures = _drawn(rng, len(pictures), resamples)
    return Weights(
        {name: place for place, name in enumerate(pictures)},
        {number: place for place, number in enumerate(seeds)},
        of_pictures,
        _drawn(rng, len(seeds), resamples),
    )


def interval(values: Values, count: int) -> Interval | None:
    """The interval of a figure from its (1 + R,) values, the sample's own first.

    Resamples in which the figure does not exist (all pictures with the class left out, say) do not count.

    Args:
        values: nan where the figure does not exist.
        count: size of the sample, to be told.

    Returns:
        None where the sample itself has no such figure.
    """
    if not np.isfinite(values[0]):
        return None
    drawn = values[1:][np.isfinite(values[1:])]
    ends = (1 - LEVEL) / 2, (1 + LEVEL) / 2
    low, high = np.quantile(drawn, ends) if drawn.size else (values[0], values[0])
    return Interval(float(values[0]), float(low), float(high), count)


def _drawn(rng: np.random.Generator, size: int, resamples: int) -> Values:
    counts = rng.multinomial(size, np.full(size, 1 / size), resamples)
    return np.vstack([np.ones((1, size)), counts]).astype(np.float64)
