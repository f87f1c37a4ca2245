"""A frame on its way through a transformation."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from kiridashi.core.errors import SizeMismatchError
from kiridashi.core.picture import Rgb

Labels = NDArray[np.uint8]
MOST = 5


@dataclass(frozen=True, eq=False)
class Frame:
    """Pixels with the labels of the objects that are seen in them.

    Attributes:
        pixels: (H, W, 3) uint8.
        labels: (H, W) uint8, 0 where there is none of the objects.
        source: index of the frame in the clip that it shows; None: it shows something else.
        amodal: (H, W) uint8, the labels as if nothing were in front; None: nothing is.
    """

    pixels: Rgb
    labels: Labels
    source: int | None
    amodal: Labels | None = None

    def __post_init__(self) -> None:
        if self.pixels.shape[:2] != self.labels.shape:
            raise SizeMismatchError(self.size, (self.labels.shape[0], self.labels.shape[1]), "labels")

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        return self.pixels.shape[0], self.pixels.shape[1]

    @property
    def objects(self) -> NDArray[np.bool_]:
        """(H, W) where any object is seen."""
        return self.labels > 0


class Transform(Protocol):
    """Changes a clip frame by frame; what it keeps from one frame to the next does not grow."""

    def __call__(self, frame: Frame, index: int, /) -> Sequence[Frame]:
        """What takes the place of a frame: usually one frame, but also none or several.

        Args:
            frame: of the clip.
            index: its place in the clip, from 0 and without gaps.
        """
        ...


def identity(frame: Frame, _index: int, /) -> Sequence[Frame]:
    """T0, the control: every frame as it is."""
    return (frame,)


def draws(seed: int, *keys: str | int) -> np.random.Generator:
    """Random numbers that depend on the seed and the keys alone, so that frames can be made in any order."""
    text = "/".join(map(str, (seed, *keys)))
    return np.random.default_rng(int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big"))
