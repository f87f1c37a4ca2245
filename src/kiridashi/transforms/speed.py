"""T5: the camera takes fewer frames, or each of them several times."""

from collections.abc import Sequence

from kiridashi.transforms.frame import Frame

FACTORS = (2, 3, 4, 6, 8)


class Faster:
    """One of every 2, 3, 4, 6 or 8 frames is kept.

    Args:
        severity: 1..5.
    """

    def __init__(self, severity: int) -> None:
        self._factor = FACTORS[severity - 1]

    def __call__(self, frame: Frame, index: int, /) -> Sequence[Frame]:
        """The frame, or nothing."""
        return () if index % self._factor else (frame,)


class Slower:
    """Every frame comes 2, 3, 4, 6 or 8 times.

    Args:
        severity: 1..5.
    """

    def __init__(self, severity: int) -> None:
        self._factor = FACTORS[severity - 1]

    def __call__(self, frame: Frame, _index: int, /) -> Sequence[Frame]:
        """The frame, several times."""
        return (frame,) * self._factor
