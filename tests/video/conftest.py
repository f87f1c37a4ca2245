from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from tests.video.discs import frame_at


@pytest.fixture
def write_clip(tmp_path: Path) -> Callable[..., Path]:
    """`write_clip(frames, name="clip")`: a folder of `frame_at` pictures, 0.png, 1.png ..."""

    def write(frames: int, name: str = "clip") -> Path:
        folder = tmp_path / name
        folder.mkdir(parents=True)
        for index in range(frames):
            Image.fromarray(frame_at(index).pixels).save(folder / f"{index}.png")
        return folder

    return write
