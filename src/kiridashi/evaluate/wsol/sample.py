"""The answers of one method as arrays, and intervals by drawing pictures anew.

A picture with several classes is asked for each, and is asked again with every seed: such answers are alike,
so whole pictures are drawn (the cluster bootstrap; Davison and Hinkley, 1997, section 3.8). The intervals
say how much the choice of test pictures matters, not how much that of the seed does.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kiridashi.evaluate.intervals import Interval
from kiridashi.evaluate.metrics.localisation import Counts, Values
from kiridashi.evaluate.wsol.thresholds import Decided

RESAMPLES = 2000
LEVEL = 0.95


@dataclass(frozen=True, eq=False)
class Sample:
    """N answers of one method, in the order of their questions.

    Attributes:
        pictures: (N,) id of each one's picture.
        box_ious: (N,).
        ranks: (N,); None: the method knows no classes.
        contour: (N, T) of MaxBoxAcc; None: it has no map.
        any_contour: (N, T) of MaxBoxAccV2.
        inside: (N, T) histograms; None: no map, or no true masks.
        outside: (N, T) likewise.
        mask_ious: (N,); None: no true masks, or no mask.
    """

    pictures: tuple[str, ...]
    box_ious: Values
    ranks: Counts | None
    contour: Values | None
    any_contour: Values | None
    inside: Counts | None
    outside: Counts | None
    mask_ious: Values | None

    @classmethod
    def of(cls, answers: Sequence[Decided]) -> "Sample":
        """The sample of some answers; what one of them lacks is left out for all."""
        ordered = sorted(answers, key=lambda one: one.line.key)
        curves = [one.score.curves for one in ordered]
        return cls(
            tuple(one.line.key.picture for one in ordered),
            np.array([one.box_iou for one in ordered]),
            _whole([one.score.rank for one in ordered]),
            _real([None if one is None else one.contour for one in curves]),
            _real([None if one is None else one.any_contour for one in curves]),
            _whole([None if one is None else one.inside for one in curves]),
            _whole([None if one is None else one.outside for one in curves]),
            _real([one.mask_iou for one in ordered]),
        )

    def __len__(self) -> int:
        return len(self.pictures)


# (R,) figures from (R, N) weights.
Measure = Callable[[Values | None], Values]


def draws(pictures: Sequence[str], resamples: int = RESAMPLES, seed: int = 0) -> Values:
    """(R, N) how often each answer counts when pictures are drawn with replacement.

    Args:
        pictures: the picture of each answer; equal sequences give equal draws.
        resamples: R.
        seed: of the draw.
    """
    names, members = np.unique(np.asarray(pictures), return_inverse=True)
    rng = np.random.default_rng(seed)
    drawn = rng.integers(0, len(names), (resamples, len(names))) + np.arange(resamples)[:, None] * len(names)
    counts = np.bincount(drawn.ravel(), minlength=resamples * len(names)).reshape(resamples, len(names))
    weights: Values = counts[:, members].astype(np.float64)
    return weights


def interval(measure: Measure, weights: Values) -> Interval:
    """A measure with its 95 % percentile interval.

    Args:
        measure: the figure of the whole sample without weights, and of each of its draws with them.
        weights: of `draws`.
    """
    low, high = np.nanquantile(measure(weights), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(measure(None)[0]), float(low), float(high), weights.shape[1])


def _real(values: Sequence[Any]) -> Values | None:
    return None if any(value is None for value in values) else np.array(values, dtype=np.float64)


def _whole(values: Sequence[Any]) -> Counts | None:
    return None if any(value is None for value in values) else np.array(values, dtype=np.int64)
