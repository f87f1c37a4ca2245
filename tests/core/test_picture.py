from typing import Any

import numpy as np
import pytest

from kiridashi.core.errors import InputError
from kiridashi.core.picture import Picture


def test_size_is_height_then_width() -> None:
    assert Picture(np.zeros((2, 5, 3), np.uint8)).size == (2, 5)


def test_pixels_are_read_only_and_the_caller_keeps_his() -> None:
    pixels = np.zeros((2, 2, 3), np.uint8)
    picture = Picture(pixels)
    with pytest.raises(ValueError, match="read-only"):
        picture.pixels[0, 0, 0] = 1
    pixels[0, 0, 0] = 1


def test_digest_depends_on_content_alone() -> None:
    a, b = np.zeros((2, 3, 3), np.uint8), np.zeros((3, 2, 3), np.uint8)
    assert Picture(a, "one").digest == Picture(a.copy(), "two").digest
    assert Picture(a).digest != Picture(b).digest
    assert Picture(a).digest != Picture(a + np.uint8(1)).digest


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((2, 2), np.uint8),
        np.zeros((2, 2, 4), np.uint8),
        np.zeros((2, 2, 3), np.float32),
        np.zeros((0, 2, 3), np.uint8),
    ],
)
def test_anything_else_is_refused(pixels: Any) -> None:
    with pytest.raises(InputError, match=r"part\.png"):
        Picture(pixels, "part.png")
