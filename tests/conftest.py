"""What every test may use. The thread settings come first: they only work before torch is imported."""

import os

for name, value in (("OMP_WAIT_POLICY", "PASSIVE"), ("OMP_NUM_THREADS", "1"), ("MKL_NUM_THREADS", "1")):
    os.environ.setdefault(name, value)

# Hub models must never be fetched by a test.
os.environ.setdefault("HF_HUB_OFFLINE", "1")

from collections.abc import Callable  # noqa: E402
from pathlib import Path  # noqa: E402

import numpy as np  # noqa: E402
import pytest  # noqa: E402
from hypothesis import HealthCheck, settings  # noqa: E402
from numpy.typing import NDArray  # noqa: E402

from kiridashi.core.mask import Mask  # noqa: E402
from kiridashi.core.picture import Picture  # noqa: E402

pytest_plugins = ["plugins.tiny_models", "plugins.disc_sites"]

# No time limits: other work on the machine must not fail a test.
settings.register_profile(
    "kiridashi",
    max_examples=50,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("kiridashi")

MakePicture = Callable[..., Picture]
MakeDisc = Callable[..., Mask]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of evaluation pictures beside the checkout; the test is skipped without it."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the evaluation pictures (../shared/data beside the checkout) are not here")
    return folder


@pytest.fixture
def make_picture() -> MakePicture:
    """`make_picture(size=(48, 64), seed=0)`: a noisy dark background with a bright disc in the middle."""

    def make(size: tuple[int, int] = (48, 64), seed: int = 0, name: str = "picture") -> Picture:
        noise = np.random.default_rng(seed).integers(0, 60, (*size, 3))
        pixels: NDArray[np.uint8] = noise.astype(np.uint8)
        pixels[_disc(size, min(size) / 4)] += np.uint8(150)
        return Picture(pixels, name)

    return make


@pytest.fixture
def make_disc() -> MakeDisc:
    """`make_disc(size=(48, 64), radius=None)`: the mask of the disc that `make_picture` draws."""

    def make(size: tuple[int, int] = (48, 64), radius: float | None = None) -> Mask:
        return Mask.from_array(_disc(size, min(size) / 4 if radius is None else radius))

    return make


def _disc(size: tuple[int, int], radius: float) -> NDArray[np.bool_]:
    rows, cols = np.ogrid[: size[0], : size[1]]
    disc: NDArray[np.bool_] = (rows - size[0] / 2) ** 2 + (cols - size[1] / 2) ** 2 <= radius**2
    return disc
