"""One task put to one method: fit on the references, predict the picture, and what it took."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.core.reference import Negative, Reference
from kiridashi.core.segments import Segments


class Segmenter(Protocol):
    """The part of a method that an evaluation uses."""

    def fit(self, references: Sequence[Reference], negatives: Sequence[Negative] = ()) -> Any:
        """Learn from the references, and from pictures without the object as far as it can."""

    def predict(self, picture: Picture) -> Segments:
        """Segment a picture, with a verdict if the method gives one."""
        ...


Factory = Callable[[], Segmenter]


@dataclass(frozen=True)
class Prediction:
    """What a method says of one picture.

    Attributes:
        mask: all that was found, as one mask; empty when the object was called absent.
        present: the verdict; where a method gives none, whether anything was found.
        fit_seconds: for learning from the references.
        predict_seconds: for the picture.
        provenance: how it came about; with a vote, of each answer.
    """

    mask: Mask
    present: bool
    fit_seconds: float
    predict_seconds: float
    provenance: tuple[dict[str, str], ...] = ()


def answer(
    segmenter: Segmenter,
    references: Sequence[Reference],
    picture: Picture,
    clock: Callable[[], float] = time.perf_counter,
) -> Prediction:
    """Fit, predict and time both.

    Args:
        segmenter: an unfitted method.
        references: the supports.
        picture: the query.
        clock: seconds.
    """
    start = clock()
    segmenter.fit(references)
    middle = clock()
    found = segmenter.predict(picture)
    end = clock()
    present = found.verdict.present if found.verdict is not None else len(found) > 0
    mask = found.union() if present else Mask.empty(picture.size)
    return Prediction(mask, present, middle - start, end - middle, (dict(found.provenance),))
