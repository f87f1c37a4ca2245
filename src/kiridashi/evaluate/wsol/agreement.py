"""Does a better coarse map give a better result? Pictures, their coarse and their final quality."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kiridashi.evaluate.wsol.lines import Line
from kiridashi.evaluate.wsol.thresholds import decide


@dataclass(frozen=True)
class Pair:
    """One question, answered coarsely and finally.

    Attributes:
        set: name of the set.
        picture: its id.
        label: the class.
        coarse: IoU of the coarse map's mask, or of its box where no true masks are known.
        final: likewise of the final answer.
        fallback: whether the coarse result was kept.
    """

    set: str
    picture: str
    label: str
    coarse: float
    final: float
    fallback: bool


@dataclass(frozen=True)
class Agreement:
    """How the two go together.

    Attributes:
        pairs: one a question that both answered.
        correlation: Spearman's, -1..1; None: fewer than three pairs, or one side is the same everywhere.
        better: share of pairs whose final quality is above the coarse one.
    """

    pairs: tuple[Pair, ...]
    correlation: float | None
    better: float


def agreement(lines: Sequence[Line], coarse: str, final: str) -> Agreement | None:
    """The agreement of two methods; None when they have no question in common.

    Args:
        lines: of one set.
        coarse: name of the method whose map it is.
        final: name of the method that works on it.
    """
    first, second = (
        {one.line.key.question: one for one in decide([line for line in lines if line.key.method == name])[0]}
        for name in (coarse, final)
    )
    pairs = []
    for question in sorted(first.keys() & second.keys()):
        a, b = first[question], second[question]
        masks = a.mask_iou is not None and b.mask_iou is not None
        qualities = (a.mask_iou, b.mask_iou) if masks else (a.box_iou, b.box_iou)
        low, high = (float(value) for value in qualities if value is not None)
        key = b.line.key
        pairs.append(Pair(key.set, key.picture, key.label, low, high, bool(b.score.fallback)))
    if not pairs:
        return None
    better = sum(pair.final > pair.coarse for pair in pairs) / len(pairs)
    return Agreement(tuple(pairs), _spearman(pairs), better)


def as_csv(found: Sequence[Agreement]) -> str:
    """The pairs, one a row."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["set", "picture", "label", "coarse_iou", "final_iou", "fallback"])
    for pair in (pair for one in found for pair in one.pairs):
        qualities = (f"{pair.coarse:.4f}", f"{pair.final:.4f}")
        writer.writerow([pair.set, pair.picture, pair.label, *qualities, int(pair.fallback)])
    return stream.getvalue()


def _spearman(pairs: Sequence[Pair]) -> float | None:
    from scipy.stats import spearmanr

    coarse, final = np.array([pair.coarse for pair in pairs]), np.array([pair.final for pair in pairs])
    if len(pairs) < 3 or np.ptp(coarse) == 0 or np.ptp(final) == 0:
        return None
    return float(spearmanr(coarse, final).statistic)
