"""K shots as K answers and a vote, as PATNet's test does it."""

from collections.abc import Sequence

import numpy as np

from kiridashi.core.errors import InputError, UsageError
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.core.reference import Reference
from kiridashi.evaluate.answering import Factory, Prediction, answer

# Of the largest number of votes that any pixel has.
MAJORITY = 0.5


def vote(masks: Sequence[Mask]) -> Mask:
    """Pixels with at least half as many votes as the pixel with the most.

    So two answers that nowhere agree give their union, and a single answer is kept as it is. HSNet
    (Min et al., ICCV 2021), whose rule PATNet takes over.

    Raises:
        UsageError: no masks.
        InputError: masks of different sizes.
    """
    if not masks:
        raise UsageError("a vote needs at least one mask")
    votes = np.zeros(masks[0].size, dtype=np.int64)
    for mask in masks:
        if mask.size != masks[0].size:
            raise InputError(f"masks of different pictures: {masks[0].size} and {mask.size} (height, width)")
        votes[mask.slices] += mask.bitmap
    return Mask.from_array(votes / max(1, int(votes.max())) >= MAJORITY)


def answer_by_vote(factory: Factory, references: Sequence[Reference], picture: Picture) -> Prediction:
    """Fit an own copy of the method on each reference and let the answers vote; seconds add up."""
    answers = [answer(factory(), [reference], picture) for reference in references]
    mask = vote([each.mask for each in answers])
    return Prediction(
        mask,
        not mask.is_empty,
        sum(each.fit_seconds for each in answers),
        sum(each.predict_seconds for each in answers),
        tuple(provenance for each in answers for provenance in each.provenance),
    )
