"""What a user would do without a memory to carry the first frame's mask through a video."""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from kiridashi.core.errors import InputError
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture

Tracker = Callable[[Picture], Mask]
Shares = NDArray[np.float32]
Places = tuple[Shares, Shares]


def keep_still(_: Picture, mask: Mask) -> Tracker:
    """A tracker that answers every later frame with the first frame's mask."""
    return lambda _: mask


class FlowField:
    """Dense optical flow from each frame back to the one before it.

    OpenCV's DIS flow (Kroeger et al., ECCV 2016), medium preset.

    Args:
        picture: the first frame.
    """

    def __init__(self, picture: Picture) -> None:
        self._flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        self._before = _grey(picture)

    def step(self, frame: Picture) -> Places:
        """(x, y), each (H, W) float32: where every pixel of the next frame was in the one before.

        Raises:
            InputError: the frame is not of the first one's size.
        """
        now = _grey(frame)
        if now.shape != self._before.shape:
            raise InputError(
                f"{frame.name}: optical flow needs frames of one size, got {now.shape} after "
                f"{self._before.shape}"
            )
        back = self._flow.calc(now, self._before, None)
        self._before = now
        rows, columns = np.mgrid[: now.shape[0], : now.shape[1]].astype(np.float32)
        return columns + back[..., 0], rows + back[..., 1]


class FlowWarp:
    """Moves the mask from frame to frame along dense optical flow.

    From each frame back to the one before it: every pixel looks up how much of it was inside.

    Args:
        picture: the first frame.
        mask: the object in it.
    """

    def __init__(self, picture: Picture, mask: Mask) -> None:
        self._flow = FlowField(picture)
        # Kept as shares: rounding to 0 and 1 at each frame would wear the mask off.
        self._inside: Shares = mask.to_array().astype(np.float32)

    def __call__(self, frame: Picture) -> Mask:
        """The mask in the next frame, which has the first one's size."""
        self._inside = look_up(self._inside, self._flow.step(frame))
        return Mask.from_array(self._inside > 0.5)


def look_up(values: Shares, places: Places) -> Shares:
    """(H, W) values at other places, linear between pixels; beyond the border the nearest counts."""
    found: Shares = cv2.remap(values, *places, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return found


def _grey(picture: Picture) -> NDArray[np.uint8]:
    grey: NDArray[np.uint8] = cv2.cvtColor(picture.pixels, cv2.COLOR_RGB2GRAY)
    return grey
