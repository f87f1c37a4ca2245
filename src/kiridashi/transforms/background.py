"""T9: the objects before another background."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from kiridashi.transforms.donor import Donor
from kiridashi.transforms.frame import MOST, Frame


class Background:
    """Another scene shines through the background by 20, 40, 60 or 80 %, or takes its place.

    Args:
        severity: 1..5.
        donor: of the other scene.
    """

    def __init__(self, severity: int, donor: Donor) -> None:
        self._share, self._donor = severity / MOST, donor

    def __call__(self, frame: Frame, index: int, /) -> Sequence[Frame]:
        """The frame before the other background; its objects stay as they are."""
        other = self._donor(index, frame.size)
        mixed = (1 - self._share) * frame.pixels + self._share * other.astype(np.float64)
        pixels = np.where(frame.objects[..., None], frame.pixels, np.rint(mixed).astype(np.uint8))
        return (replace(frame, pixels=pixels),)
