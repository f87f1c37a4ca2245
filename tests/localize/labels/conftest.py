from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

WritePicture = Callable[..., Path]


@pytest.fixture
def write_picture(tmp_path: Path) -> WritePicture:
    """`write_picture("crack/1.png")`: a file below the test's folder, each with another content."""
    made: list[Path] = []

    def write(name: str, shade: int | None = None) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.full((4, 6, 3), len(made) if shade is None else shade, dtype=np.uint8)
        Image.fromarray(pixels).save(path)
        made.append(path)
        return path

    return write
