import cv2
import numpy as np
import pytest
import torch

from kiridashi.core.picture import Picture
from kiridashi.models.video.flow import SIDE, displace, look


def frame(shift: tuple[int, int]) -> Picture:
    """A textured disc before a textured wall, moved by (x, y) pixels."""
    rng = np.random.default_rng(0)
    wall = cv2.resize(rng.integers(0, 255, (32, 32)).astype(np.uint8), (512, 512))
    disc = cv2.resize(rng.integers(0, 255, (24, 24)).astype(np.uint8), (512, 512))
    y, x = np.mgrid[:512, :512]
    inside = (x - 256 - shift[0]) ** 2 + (y - 256 - shift[1]) ** 2 < 90**2
    moved = np.roll(disc, shift[::-1], (0, 1))
    return Picture(np.repeat(np.where(inside, moved, wall)[..., None], 3, axis=2))


def disc_mask(shift: tuple[int, int]) -> torch.Tensor:
    y, x = torch.meshgrid(torch.arange(128.0) * 4, torch.arange(128.0) * 4, indexing="ij")
    inside = (x - 256 - shift[0]) ** 2 + (y - 256 - shift[1]) ** 2 < 90**2
    return (inside.float() * 20 - 10)[None, None]


@pytest.mark.parametrize("shift", [(20, 0), (-12, 16)])
def test_a_mask_follows_the_motion(shift: tuple[int, int]) -> None:
    before, now = look(frame((0, 0))), look(frame(shift))
    moved = displace(disc_mask((0, 0)), before, now)

    def iou(one: torch.Tensor, other: torch.Tensor) -> float:
        return float(((one > 0) & (other > 0)).sum() / ((one > 0) | (other > 0)).sum())

    assert iou(moved, disc_mask(shift)) > 0.86
    assert iou(disc_mask((0, 0)), disc_mask(shift)) < 0.8


def test_masks_stay_where_nothing_moves() -> None:
    still = look(frame((0, 0)))
    masks = torch.cat([disc_mask((0, 0)), disc_mask((30, 0))])
    torch.testing.assert_close(displace(masks, still, still), masks, atol=0.2, rtol=0)


def test_frames_of_any_size_are_looked_at_alike() -> None:
    small = Picture(np.full((30, 70, 3), 80, np.uint8))
    assert look(small).shape == (SIDE, SIDE)
    assert look(small).dtype == np.uint8
