from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import ArrayLike
from PIL import Image


@pytest.fixture
def save() -> Callable[[Path, ArrayLike], None]:
    """Writes an 8-bit picture or label map."""

    def write(path: Path, values: ArrayLike) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.asarray(values, dtype=np.uint8)).save(path)

    return write
