from collections.abc import Callable

import numpy as np
import pytest

from kiridashi.core.picture import Picture
from kiridashi.reference.transition.compact import CompactBackend
from kiridashi.reference.transition.design import Design, make_unet
from kiridashi.reference.transition.options import TransitionOptions

TINY = Design(side=16, channels=(8, 16), head=8)
QUICK = TransitionOptions(frames=2, steps=2, rank=2, lora_steps=2, learning_rate=1e-2)


@pytest.fixture
def backend() -> CompactBackend:
    """The compact back-end with a tiny network that has learned nothing."""
    return CompactBackend(make_unet(TINY, seed=1), TINY)


@pytest.fixture
def quick() -> TransitionOptions:
    return QUICK


@pytest.fixture
def colour() -> Callable[..., Picture]:
    """`colour(red, green, blue, size=(20, 30))`: a plain picture."""

    def make(*rgb: int, size: tuple[int, int] = (20, 30)) -> Picture:
        return Picture(np.full((*size, 3), rgb, np.uint8), f"plain {rgb}")

    return make
