"""Made-up clips in which every fault is known: a patterned block that moves over a floor."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture, Rgb
from kiridashi.video.clip import Frame

SIZE = (120, 160)
FRAMES = 7
BLOCK = 44


@dataclass(frozen=True, eq=False)
class DrawnClip:
    """Frames in memory; a `kiridashi.video.clip.Clip`."""

    pictures: Sequence[Picture]
    masks: Sequence[Mask]
    name: str = "drawn"

    @property
    def size(self) -> tuple[int, int]:
        return self.pictures[0].size

    @property
    def fingerprint(self) -> str:
        return self.name

    @property
    def expected(self) -> int:
        return len(self.pictures)

    def frames(self, start: int = 0) -> Iterator[Frame]:
        for index in range(start, len(self.pictures)):
            yield Frame(index, f"{index}.png", self.pictures[index])


def floor(seed: int = 0) -> Rgb:
    """Soft grey-green stains with a little grain."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(70, 150, (8, 10, 3)).astype(np.uint8)
    stains = cv2.resize(coarse, SIZE[::-1], interpolation=cv2.INTER_CUBIC).astype(np.int16)
    lines = (np.add.outer(np.arange(SIZE[0]), np.arange(SIZE[1])) % 16 == 0)[..., None] * 40
    pixels: Rgb = np.clip(stains + lines + rng.integers(-4, 5, (*SIZE, 1)), 0, 255).astype(np.uint8)
    return pixels


def mask_at(index: int, step: float = 2) -> NDArray[np.bool_]:
    mask = np.zeros(SIZE, dtype=bool)
    left = round(10 + step * index) % (SIZE[1] - BLOCK)
    mask[34 : 34 + BLOCK, left : left + BLOCK] = True
    return mask


def still(index: int, step: float = 2) -> tuple[Rgb, NDArray[np.bool_]]:
    """A frame as it should be."""
    pixels, mask = floor(), mask_at(index, step)
    pattern = np.zeros((BLOCK, BLOCK, 3), dtype=np.uint8)
    pattern[:] = (215, 60, 40)
    pattern[::6] = (250, 210, 60)
    pixels[mask] = pattern.reshape(-1, 3)
    return pixels, mask


def clip_of(drawn: Sequence[tuple[Rgb, NDArray[np.bool_]]]) -> DrawnClip:
    pictures = [Picture(pixels, f"frame {index}") for index, (pixels, _) in enumerate(drawn)]
    return DrawnClip(pictures, [Mask.from_array(mask) for _, mask in drawn])


def sound() -> DrawnClip:
    return clip_of([still(index) for index in range(FRAMES)])


def flickering() -> DrawnClip:
    def dim(index: int) -> tuple[Rgb, NDArray[np.bool_]]:
        pixels, mask = still(index)
        return (pixels * (0.7 if index % 2 else 1.0)).astype(np.uint8), mask

    return clip_of([dim(index) for index in range(FRAMES)])


def blurred() -> DrawnClip:
    drawn = [still(index) for index in range(FRAMES)]
    return clip_of([(cv2.GaussianBlur(pixels, (0, 0), 4), mask) for pixels, mask in drawn])


def grainy() -> DrawnClip:
    rng = np.random.default_rng(1)
    drawn = [still(index) for index in range(FRAMES)]
    return clip_of(
        [(np.clip(p + rng.normal(0, 30, p.shape), 0, 255).astype(np.uint8), mask) for p, mask in drawn]
    )


def dark() -> DrawnClip:
    drawn = [still(index) for index in range(FRAMES)]
    return clip_of([(pixels // 6, mask) for pixels, mask in drawn])


def cutting() -> DrawnClip:
    """Frames 3 and 4 show something else: fine stripes of blue and white."""
    other = np.zeros((*SIZE, 3), dtype=np.uint8)
    other[:, :80], other[:, 80:] = (235, 240, 255), (20, 30, 160)
    other[::4] = 255
    drawn = [still(index) for index in range(FRAMES)]
    nothing = np.zeros(SIZE, dtype=bool)
    return clip_of([(other, nothing) if 3 <= index <= 4 else one for index, one in enumerate(drawn)])


def hidden() -> DrawnClip:
    """From frame 5 on the block is gone from the floor."""
    gone = floor(), np.zeros(SIZE, dtype=bool)
    return clip_of([gone if index >= 5 else still(index) for index in range(FRAMES)])


def racing() -> DrawnClip:
    """The block leaves its own place from frame to frame."""
    return clip_of([still(index, step=31) for index in range(FRAMES)])
