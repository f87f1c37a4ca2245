"""T1: bursts of frames of another scene are put in between."""

from collections.abc import Sequence

import numpy as np

from kiridashi.transforms.donor import Donor
from kiridashi.transforms.frame import Frame

EVERY = 10


class Interjection:
    """After every tenth frame come as many of another scene as the severity says; nothing is lost.

    Args:
        severity: 1..5.
        donor: of the other scene.
    """

    def __init__(self, severity: int, donor: Donor) -> None:
        self._count, self._donor = severity, donor

    def __call__(self, frame: Frame, index: int, /) -> Sequence[Frame]:
        """The frame, and what comes after it."""
        if (index + 1) % EVERY:
            return (frame,)
        begin = (index + 1) // EVERY * self._count
        return (frame, *(foreign(frame, self._donor, begin + place) for place in range(self._count)))


def foreign(frame: Frame, donor: Donor, index: int) -> Frame:
    """A frame of another scene, of the size of this one and with none of its objects."""
    return Frame(donor(index, frame.size), np.zeros_like(frame.labels), None)
