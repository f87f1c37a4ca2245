"""One picture in memory: 8-bit RGB, read-only, with a name and a content digest."""

import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kiridashi.core.errors import InputError

Rgb = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Picture:
    """An RGB picture.

    Attributes:
        pixels: (H, W, 3) uint8, made read-only on construction.
        name: what messages and reports call it; usually the file name.
        path: the file it came from, if any.
    """

    pixels: Rgb = field(repr=False)
    name: str = "picture"
    path: Path | None = None

    def __post_init__(self) -> None:
        pixels = self.pixels
        if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8:
            raise InputError(
                f"{self.name}: pixels must be (H, W, 3) uint8, got {pixels.shape} {pixels.dtype}; "
                "read files with kiridashi.data.read_picture"
            )
        if 0 in pixels.shape:
            raise InputError(f"{self.name}: the picture has no pixels (shape {pixels.shape})")
        frozen = np.ascontiguousarray(pixels).view()
        frozen.flags.writeable = False
        object.__setattr__(self, "pixels", frozen)

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        return self.pixels.shape[0], self.pixels.shape[1]

    @cached_property
    def digest(self) -> str:
        """SHA-256 over shape and pixels: equal pictures share it whatever file they came from."""
        header = f"{self.pixels.shape}".encode()
        return hashlib.sha256(header + self.pixels.tobytes()).hexdigest()
