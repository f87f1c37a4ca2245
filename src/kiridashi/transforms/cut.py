"""T2: the camera cuts to another scene and returns."""

from collections.abc import Sequence

from kiridashi.transforms.donor import Donor
from kiridashi.transforms.frame import Frame
from kiridashi.transforms.interjection import foreign
from kiridashi.transforms.schedule import Episodes

LENGTHS = (2, 4, 8, 12, 16)


class Cut:
    """For some frames another scene is shown; time goes on behind it.

    Args:
        severity: 1..5: 2, 4, 8, 12 or 16 frames.
        seed: of the moment.
        donor: of the other scene.
    """

    def __init__(self, severity: int, seed: int, donor: Donor) -> None:
        self._episodes = Episodes.draw(seed, "cut", LENGTHS[severity - 1])
        self._donor = donor

    def __call__(self, frame: Frame, index: int, /) -> Sequence[Frame]:
        """The frame, or one of the other scene."""
        if self._episodes.place(index) is None:
            return (frame,)
        return (foreign(frame, self._donor, index),)
