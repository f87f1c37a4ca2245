"""Sites small enough to think about: a red disc on changing grounds."""

from collections.abc import Callable

import numpy as np
import pytest

from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.core.reference import Reference

DiscSite = Callable[..., Reference]
BareSite = Callable[..., Picture]


@pytest.fixture(scope="session")
def disc_site() -> DiscSite:
    """`disc_site(seed, discs=1, size=(120, 160))`: red discs on speckled green, with their mask."""

    def make(seed: int, discs: int = 1, size: tuple[int, int] = (120, 160)) -> Reference:
        rng = np.random.default_rng(seed)
        height, width = size
        pixels = rng.integers(40, 90, (height, width, 3)).astype(np.uint8)
        pixels[..., 1] += 60
        rows, columns = np.ogrid[:height, :width]
        mask = np.zeros(size, dtype=bool)
        slots = rng.permutation(6)[:discs]
        for slot in slots:
            y, x = height * (0.28 + 0.44 * (slot // 3)), width * (0.2 + 0.3 * (slot % 3))
            mask |= (rows - y) ** 2 + (columns - x) ** 2 <= (0.13 * height) ** 2
        pixels[mask] = np.clip(rng.normal((205, 45, 40), 8, (int(mask.sum()), 3)), 0, 255).astype(np.uint8)
        return Reference(Picture(pixels, f"site-{seed}"), Mask.from_array(mask))

    return make


@pytest.fixture(scope="session")
def bare_site() -> BareSite:
    """The same ground without a disc."""

    def make(seed: int, size: tuple[int, int] = (120, 160)) -> Picture:
        pixels = np.random.default_rng(seed).integers(40, 90, (*size, 3)).astype(np.uint8)
        pixels[..., 1] += 60
        return Picture(pixels, f"bare-{seed}")

    return make
