"""A bounded number of evenly spaced small pictures of a stream whose length nobody knows."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kiridashi.core.adapters.overlay import side_by_side
from kiridashi.core.errors import InputError
from kiridashi.core.picture import Rgb

HEIGHT, WIDEST = 96, 384
# Held at most; of these so many are shown.
HELD, SHOWN = 32, 8
FRAMES, PIXELS = "frames", "pixels"
GAP = 2


class Thumbnails:
    """Keeps every n-th frame, and doubles n whenever there are too many: memory is bounded."""

    def __init__(self) -> None:
        self._stride = 1
        self._kept: list[tuple[int, Rgb]] = []

    def wants(self, index: int) -> bool:
        """Whether `add` would keep the frame of this index."""
        return index % self._stride == 0

    def add(self, index: int, pixels: Rgb) -> None:
        """Offer a frame, (H, W, 3) uint8; indices rise."""
        if not self.wants(index):
            return
        self._kept.append((index, _small(pixels)))
        if len(self._kept) > HELD:
            self._stride *= 2
            self._kept = [one for one in self._kept if self.wants(one[0])]

    def strip(self) -> Rgb | None:
        """Up to `SHOWN` evenly spaced frames in a row, the first and the last kept among them."""
        if not self._kept:
            return None
        places = np.unique(np.linspace(0, len(self._kept) - 1, SHOWN).round().astype(int))
        return side_by_side([self._kept[place][1] for place in places], GAP)

    def state(self) -> dict[str, Tensor]:
        """Everything held, as named tensors."""
        if not self._kept:
            return {}
        frames, pixels = zip(*self._kept, strict=True)
        return {
            FRAMES: torch.tensor([self._stride, *frames]),
            PIXELS: torch.from_numpy(np.stack(pixels)),
        }

    def restore(self, tensors: Mapping[str, Tensor]) -> "Thumbnails":
        """Take back what `state` gave.

        Raises:
            InputError: it is not such a state.
        """
        if not tensors:
            return self
        try:
            self._stride, *frames = tensors[FRAMES].tolist()
            pixels: Sequence[NDArray[np.uint8]] = list(tensors[PIXELS].numpy())
            self._kept = list(zip(frames, pixels, strict=True))
        except (KeyError, ValueError) as error:
            raise InputError(f"thumbnails: {error}; is this a saved run?") from error
        return self


def _small(pixels: Rgb) -> Rgb:
    import cv2

    height, width = pixels.shape[:2]
    wide = min(max(round(width * HEIGHT / height), 1), WIDEST)
    small: Rgb = cv2.resize(pixels, (wide, HEIGHT), interpolation=cv2.INTER_AREA)
    return small
