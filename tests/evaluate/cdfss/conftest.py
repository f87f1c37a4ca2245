"""Sets of tiny pictures, and methods that need no network."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from kiridashi.core.errors import InputError
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.core.reference import Reference
from kiridashi.core.segments import Segment, Segments

SIZE = (20, 30)
WritePair = Callable[..., None]


def disc(x: int, y: int, radius: int, size: tuple[int, int] = SIZE) -> NDArray[np.bool_]:
    rows, columns = np.ogrid[: size[0], : size[1]]
    inside: NDArray[np.bool_] = (columns - x) ** 2 + (rows - y) ** 2 <= radius**2
    return inside


@pytest.fixture
def write_pair() -> WritePair:
    """Writes a picture of a bright disc and its mask: write_pair(picture, mask, x=10, y=9, value=255)."""

    def write(picture: Path, mask: Path, x: int = 10, y: int = 9, value: int = 255) -> None:
        inside = disc(x, y, 5)
        pixels = np.full((*SIZE, 3), 40, dtype=np.uint8)
        pixels[inside] = (220, 200, 60)
        for path, values in ((picture, pixels), (mask, inside.astype(np.uint8) * np.uint8(value))):
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(values).save(path)

    return write


@pytest.fixture
def few_shot(tmp_path: Path, write_pair: WritePair) -> Path:
    """A folder of images/ and masks/ with five pictures of one class."""
    folder = tmp_path / "discs"
    for index in range(5):
        write_pair(folder / "images" / f"p{index}.png", folder / "masks" / f"p{index}.png", x=8 + 3 * index)
    return folder


class Bright:
    """Finds what is bright; `shift` moves its answer to the right, `refuses` names a query it cannot do."""

    def __init__(self, shift: int = 0, refuses: str = "", defect: str = "") -> None:
        self.shift, self.refuses, self.defect = shift, refuses, defect

    def fit(self, references: Sequence[Reference], negatives: Sequence[Any] = ()) -> Self:
        self.count_ = len(references)
        return self

    def predict(self, picture: Picture) -> Segments:
        if picture.name == self.refuses:
            raise InputError(f"{picture.name}: too difficult")
        if picture.name == self.defect:
            raise RuntimeError("nobody expected this")
        bright = np.roll(picture.pixels[..., 0] > 128, self.shift, axis=1)
        return Segments(picture.size, (Segment(Mask.from_array(bright), 1.0, "object"),))


@pytest.fixture
def bright() -> type[Bright]:
    return Bright
