"""What the tests of the video session share."""

import numpy as np
import pytest

from kiridashi.core.mask import Mask


@pytest.fixture(scope="session")
def disc() -> Mask:
    """The disc of `make_clip`'s first frame at 128 pixels."""
    rows, columns = np.mgrid[:128, :128]
    return Mask.from_array((columns - 38.4) ** 2 + (rows - 51.2) ** 2 < 25.6**2)
