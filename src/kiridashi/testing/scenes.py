"""Small made-up pictures for the contract suite: orange discs on a mottled green ground."""

import numpy as np
from numpy.typing import NDArray

from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.core.reference import Reference

SIZE = (96, 128)
GROUND, DISC = (70, 110, 80), (225, 120, 40)


def scene(seed: int, size: tuple[int, int] = SIZE) -> Reference:
    """A (height, width) picture with one disc and the disc's mask."""
    rng = np.random.default_rng(seed)
    height, width = size
    radius = 0.22 * min(size)
    y, x = np.mgrid[:height, :width]
    top, left = rng.uniform(0.3, 0.7, 2) * size
    inside = np.hypot(y - top, x - left) < radius
    colour = np.where(inside[..., None], DISC, GROUND) + _mottle(size, rng)[..., None]
    pixels = np.clip(colour, 0, 255).astype(np.uint8)
    return Reference(Picture(pixels, f"scene {seed}"), Mask.from_array(inside))


def noise(seed: int, size: tuple[int, int] = SIZE) -> Picture:
    """Independent grey noise: the object is not there."""
    grey = np.random.default_rng(seed).integers(0, 256, (*size, 1), dtype=np.uint8)
    return Picture(np.repeat(grey, 3, axis=2), f"noise {seed}")


def plain(value: int = 128, size: tuple[int, int] = SIZE) -> Picture:
    """One grey value everywhere."""
    return Picture(np.full((*size, 3), value, dtype=np.uint8), "plain")


def _mottle(size: tuple[int, int], rng: np.random.Generator) -> NDArray[np.float64]:
    """Blocks of 4 pixels and pixel noise, within about +-20."""
    coarse = rng.normal(0, 6, (-(-size[0] // 4), -(-size[1] // 4)))
    mottled: NDArray[np.float64] = np.kron(coarse, np.ones((4, 4)))[: size[0], : size[1]] + rng.normal(
        0, 3, size
    )
    return mottled
