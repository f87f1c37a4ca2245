from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import ArrayLike, NDArray

Save = Callable[[Path, ArrayLike], None]


@pytest.fixture
def save_clip(save: Save) -> Callable[[Path, Sequence[NDArray[np.uint8]]], Path]:
    """`save_clip(folder, label maps)`: frames that show the label maps in grey."""

    def write(folder: Path, maps: Sequence[NDArray[np.uint8]]) -> Path:
        for index, labels in enumerate(maps):
            save(folder / "frames" / f"{index:05d}.png", np.repeat(labels[..., None] * 40, 3, axis=2))
            save(folder / "masks" / f"{index:05d}.png", labels)
        return folder

    return write
