import os
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest

from kiridashi.classes.registry import Registry, Sample
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture

WIDTH = 4
MakeSample = Callable[..., Sample]
IN_MEMORY = Path("/dev/shm")


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """In memory where the machine has a place for that: each commit waits for the disk otherwise.

    Processes that are killed leave the same bytes behind on either; no test here cuts the power.
    """
    place = IN_MEMORY if IN_MEMORY.is_dir() and os.access(IN_MEMORY, os.W_OK) else None
    with TemporaryDirectory(dir=place) as folder:
        yield Path(folder)


@pytest.fixture
def make_sample() -> MakeSample:
    """`make_sample(seed=0, value=None)`: a noisy picture, a box in it, an embedding from `value` on."""

    def make(seed: int = 0, value: float | None = None, width: int = WIDTH) -> Sample:
        rng = np.random.default_rng(seed)
        pixels = rng.integers(0, 256, (12, 16, 3)).astype(np.uint8)
        mask = np.zeros((12, 16), bool)
        mask[2 : 5 + seed % 4, 3:9] = True
        vector = rng.normal(size=width)
        vector[0] = seed if value is None else value
        return Sample(Picture(pixels, f"{seed}.png"), Mask.from_array(mask), vector)

    return make


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "部品?#.kiridashi"


@pytest.fixture
def registry(path: Path) -> Iterator[Registry]:
    with Registry.create(path, "compact", "f1", WIDTH, author="tester") as made:
        yield made
