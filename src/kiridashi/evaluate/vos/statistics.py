"""What the values of a clip come to: mean, recall and decay, and how fast an object is found again."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from kiridashi.core.errors import UsageError

# A frame counts as recalled above this, and an object as found again from this on.
THRESHOLD = 0.5
BINS = 4


@dataclass(frozen=True)
class Statistics:
    """A measure over the frames of a clip.

    Attributes:
        mean: of all frames.
        recall: share of the frames above 0.5.
        decay: mean of the first quarter of the frames minus that of the last; below 0 it got better.
    """

    mean: float
    recall: float
    decay: float


def statistics(values: ArrayLike) -> Statistics:
    """Mean, recall and decay (Perazzi et al., CVPR 2016, section 5.1), quarters as the public evaluator's.

    Neighbouring quarters share the frame between them. The public evaluator numbers frames with 8 bits,
    which goes wrong beyond 256 frames; here it does not.

    Args:
        values: (N,) one a frame that counts, in order.

    Raises:
        UsageError: there are none.
    """
    sample = np.asarray(values, dtype=np.float64)
    if sample.ndim != 1 or not sample.size:
        raise UsageError(f"statistics are of one or more frames in a row, got shape {sample.shape}")
    # The tiny term rounds halves up; numpy alone rounds them to even.
    ends = np.round(np.linspace(1, sample.size, BINS + 1) + 1e-10).astype(np.intp) - 1
    first, last = sample[ends[0] : ends[1] + 1], sample[ends[-2] : ends[-1] + 1]
    recall = float(np.mean(sample > THRESHOLD))
    return Statistics(float(sample.mean()), recall, float(first.mean() - last.mean()))


@dataclass(frozen=True)
class Return:
    """An object that was out of sight comes back.

    Attributes:
        frame: index at which it does.
        away: number of frames without it before.
        took: frames until J reached 0.5, 0 if at once; None: not before it went again, or the end.
    """

    frame: int
    away: int
    took: int | None


def returns(j: Sequence[float], there: Sequence[bool]) -> list[Return]:
    """Every return of an object after a cut or behind something.

    Args:
        j: region similarity, one a frame.
        there: whether the object is in the truth, one a frame.

    Raises:
        UsageError: the two differ in length.
    """
    if len(j) != len(there):
        raise UsageError(f"every frame has its J, got {len(there)} frames and {len(j)} values")
    found: list[Return] = []
    for start, stop in _stretches(there):
        away = start - max((index + 1 for index in range(start) if there[index]), default=0)
        if not away:
            continue
        took = next((index - start for index in range(start, stop) if j[index] >= THRESHOLD), None)
        found.append(Return(start, away, took))
    return found


def _stretches(there: Sequence[bool]) -> list[tuple[int, int]]:
    """(first frame, frame after the last) of each unbroken stretch of sight."""
    edges = np.diff(np.concatenate([[0], np.asarray(there, dtype=np.int8), [0]]))
    starts, stops = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    return [(int(start), int(stop)) for start, stop in zip(starts, stops, strict=True)]
