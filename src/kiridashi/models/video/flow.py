"""Carries masks along the motion between two frames.

A mask carried from the last frame is where the object was. Dense optical flow (DIS: Kroeger et al., ECCV
2016, arXiv 1603.03590) moves it to about where it is, for a few milliseconds a frame and once for all
objects.
"""

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kiridashi.core.picture import Picture

# Side of the square on which the flow is computed: the masks it moves have 128 cells a side.
SIDE = 256

Grey = NDArray[np.uint8]


def look(picture: Picture) -> Grey:
    """(256, 256) grey levels of a frame: all that the flow needs of it."""
    small = cv2.resize(picture.pixels, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    grey: Grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
    return grey


def displace(masks: Tensor, before: Grey, now: Grey) -> Tensor:
    """Move the masks of one frame to where their pixels are in the next.

    Args:
        masks: (N, 1, s, s) logits in the frame before.
        before: grey levels of that frame, from `look`.
        now: grey levels of the next frame.

    Returns:
        (N, 1, s, s) logits; what comes in from outside has the nearest border's.
    """
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    # Backwards, so that every cell of the new frame looks up where it was.
    back = flow.calc(now, before, None)
    side = masks.shape[-1]
    back = cv2.resize(back, (side, side), interpolation=cv2.INTER_AREA) * np.float32(side / SIDE)
    rows, columns = np.mgrid[:side, :side].astype(np.float32)
    moved = [
        cv2.remap(
            mask.numpy(),
            columns + back[..., 0],
            rows + back[..., 1],
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        for mask in masks[:, 0]
    ]
    return torch.from_numpy(np.stack(moved))[:, None]
