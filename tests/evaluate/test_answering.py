from collections.abc import Sequence

import numpy as np
import pytest

from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.core.reference import Negative, Reference
from kiridashi.core.segments import Segment, Segments, Verdict
from kiridashi.evaluate.answering import answer

PICTURE = Picture(np.zeros((4, 6, 3), dtype=np.uint8))
LEFT, RIGHT = (Mask.from_array(np.arange(24).reshape(4, 6) % 6 == x) for x in (0, 5))


class Fixed:
    def __init__(self, verdict: Verdict | None, *masks: Mask) -> None:
        self.result = Segments(PICTURE.size, tuple(Segment(mask, 1.0, "") for mask in masks), verdict)

    def fit(self, references: Sequence[Reference], negatives: Sequence[Negative] = ()) -> None:
        self.fitted = len(references)

    def predict(self, picture: Picture) -> Segments:
        assert self.fitted == 2
        return self.result


@pytest.mark.parametrize(
    ("verdict", "masks", "present", "area"),
    [
        (None, (LEFT, RIGHT), True, 8),
        (None, (), False, 0),
        (Verdict(True, 0.9, 0.5), (LEFT,), True, 4),
        (Verdict(False, 0.1, 0.5), (LEFT,), False, 0),
    ],
)
def test_all_that_is_found_counts_unless_called_absent(
    verdict: Verdict | None, masks: tuple[Mask, ...], present: bool, area: int
) -> None:
    ticks = iter((1.0, 3.0, 6.5))
    found = answer(Fixed(verdict, *masks), [Reference(PICTURE, LEFT)] * 2, PICTURE, lambda: next(ticks))
    assert (found.present, found.mask.area) == (present, area)
    assert (found.fit_seconds, found.predict_seconds) == (2.0, 3.5)
