import cv2
import numpy as np

from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.evaluate.baselines.trackers import FlowWarp, keep_still

STEP = 3


def moving_square(index: int) -> tuple[Picture, Mask]:
    """A textured square that moves right by `STEP` pixels a frame over a textured ground."""
    rng = np.random.default_rng(0)
    ground, cloth = rng.integers(0, 255, (2, 96, 128, 3)).astype(np.uint8)
    ground, cloth = cv2.GaussianBlur(ground, (0, 0), 2), cv2.GaussianBlur(cloth, (0, 0), 2)
    left = 20 + STEP * index
    pixels, inside = ground.copy(), np.zeros((96, 128), dtype=bool)
    pixels[30:66, left : left + 36] = cloth[:36, :36]
    inside[30:66, left : left + 36] = True
    return Picture(pixels), Mask.from_array(inside)


def test_a_still_mask_stays() -> None:
    picture, mask = moving_square(0)
    assert keep_still(picture, mask)(moving_square(5)[0]) == mask


def test_flow_follows_where_the_still_mask_falls_behind() -> None:
    picture, mask = moving_square(0)
    track = FlowWarp(picture, mask)
    for index in range(1, 7):
        frame, truth = moving_square(index)
        found = track(frame)
    assert found.iou(truth) > mask.iou(truth) + 0.2


def test_flow_on_a_still_picture_keeps_the_mask() -> None:
    picture, mask = moving_square(0)
    assert FlowWarp(picture, mask)(picture) == mask


def test_an_empty_mask_stays_empty() -> None:
    picture, mask = moving_square(0)
    assert FlowWarp(picture, Mask.empty(mask.size))(moving_square(1)[0]).is_empty
