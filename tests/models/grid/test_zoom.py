import numpy as np
import pytest
import torch
from torch.nn import functional as F

from kiridashi.core.mask import Bitmap
from kiridashi.models.grid.zoom import Logits, Patch, Zoom

SIZES = ((96, 140), (300, 211), (32, 32), (20, 17), (33, 500))


def blob(size: int = 32, seed: int = 0) -> Logits:
    """A smooth hill of about 10 with noise; below -1 elsewhere."""
    y, x = np.mgrid[:size, :size]
    hill = 14 * np.exp(-((x - 11) ** 2 / 40 + (y - 20) ** 2 / 70)) - 4
    noise = np.random.default_rng(seed).normal(0, 0.8, (size, size))
    logits: Logits = (hill + noise).astype(np.float32)
    return logits


def stock(logits: Logits, size: tuple[int, int]) -> Logits:
    full = F.interpolate(
        torch.from_numpy(logits)[None, None], size=size, mode="bilinear", align_corners=False
    )
    return full[0, 0].numpy()


def placed(patch: Patch, bitmap: Bitmap, size: tuple[int, int]) -> Bitmap:
    full = np.zeros(size, dtype=bool)
    full[patch.pixels] = bitmap
    return full


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("shift", [(0, 0), (-20, -11), (11, 20)], ids=["inside", "top left", "bottom right"])
def test_a_patch_upscales_like_the_whole(size: tuple[int, int], shift: tuple[int, int]) -> None:
    logits = np.roll(blob(), shift, axis=(0, 1))
    patch = Patch.above(logits, -1.0, Zoom.between(logits.shape, size))
    assert patch is not None
    bitmap, above, below = patch.upscale(1.0)
    full = stock(logits, size)
    assert np.count_nonzero(placed(patch, bitmap, size) != (full > 0)) <= 1
    assert abs(above - np.count_nonzero(full > 1)) <= 1
    assert abs(below - np.count_nonzero(full > -1)) <= 1


@pytest.mark.parametrize("size", SIZES)
def test_corners_bound_the_pixels(size: tuple[int, int]) -> None:
    logits = blob(seed=3)
    patch = Patch.above(logits, -1.0, Zoom.between(logits.shape, size))
    assert patch is not None
    least, greatest = patch.corners()
    full = stock(logits, size)
    for level in (-1.0, 0.0, 1.0):
        assert patch.count(least > level) <= np.count_nonzero(full > level) <= patch.count(greatest > level)


@pytest.mark.parametrize("size", SIZES)
def test_cells_give_an_inner_and_an_outer_box(size: tuple[int, int]) -> None:
    logits = blob(seed=4)
    patch = Patch.above(logits, -1.0, Zoom.between(logits.shape, size))
    assert patch is not None
    least, greatest = patch.corners()
    rows, columns = np.nonzero(stock(logits, size) > 0)
    box = np.array([columns.min(), rows.min(), columns.max(), rows.max()])
    outer, inner = patch.box(greatest > 0), patch.box(least > 0)
    assert outer is not None
    assert (outer[:2] <= box[:2]).all()
    assert (outer[2:] >= box[2:]).all()
    if inner is not None:
        assert (inner[:2] >= box[:2]).all()
        assert (inner[2:] <= box[2:]).all()


def test_nothing_above_the_level_has_no_patch() -> None:
    logits = np.full((8, 8), -2.0, dtype=np.float32)
    assert Patch.above(logits, -1.0, Zoom.between((8, 8), (20, 20))) is None


def test_a_patch_is_small() -> None:
    logits = np.full((64, 64), -5.0, dtype=np.float32)
    logits[10:14, 20:26] = 5
    patch = Patch.above(logits, -1.0, Zoom.between((64, 64), (256, 256)))
    assert patch is not None
    assert patch.logits.shape == (6, 8)
    assert (patch.top, patch.left) == (9, 19)
