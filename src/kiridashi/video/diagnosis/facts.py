"""What the pixels of a clip say of light, lens, sensor and camera, before any model looks.

All figures are of one frame or of two neighbouring ones, so that clips of any length can be streamed.
"""

from dataclasses import asdict, dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from kiridashi.core.picture import Rgb

Grey = NDArray[np.float32]
# Long side at which light is compared; blur and noise need every pixel.
SIDE = 160
# Pixels a side of the part that blur and noise are measured on, cut from the middle.
CROP = 640
BLOCK = 16
# Of the blocks of a frame, those with the least structure tell the noise.
QUIET_SHARE = 0.1
# Columns and rows of the grid on which frames are compared as a whole.
LAYOUT = (8, 6)
# Second difference of both axes; for white noise its deviation is six times that of the pixels.
NOISE_KERNEL = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], dtype=np.float32)
# Pixels of this and less, or of the converse and more, tell nothing of the light.
DARKEST, BRIGHTEST = 8, 247


@dataclass(frozen=True)
class FrameFacts:
    """One frame.

    Attributes:
        light: mean of the luminance, 0..1.
        change: median over pixels of the logarithm of luminance against the frame before; 0 for the first.
        blur: 0 sharp .. 1 blurred, by how little another blur changes it.
        noise: deviation of the grain, in units of 1/255.
        clipped: share of pixels that are black or white.
        alike: correlation with the frame before of where it is light and dark, -1..1; 1 for the first.
    """

    light: float
    change: float
    blur: float
    noise: float
    clipped: float
    alike: float

    def to_json(self) -> dict[str, Any]:
        """As plain JSON types."""
        return {name: round(value, 5) for name, value in asdict(self).items()}


class FactFinder:
    """Looks at the frames of a clip in turn; remembers one small frame."""

    def __init__(self) -> None:
        self._before: Grey | None = None

    def __call__(self, pixels: Rgb) -> FrameFacts:
        """The facts of the next frame, (H, W, 3) uint8."""
        grey: Grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY).astype(np.float32)
        scale = min(1.0, SIDE / max(grey.shape))
        size = max(1, round(grey.shape[1] * scale)), max(1, round(grey.shape[0] * scale))
        small: Grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
        change = 0.0 if self._before is None else light_change(self._before, small)
        alike = 1.0 if self._before is None else likeness(self._before, small)
        self._before = small
        part = _middle(grey)
        clipped = float(np.mean((grey <= DARKEST) | (grey >= BRIGHTEST)))
        return FrameFacts(float(small.mean() / 255), change, blur(part), noise(part), clipped, alike)


def light_change(before: Grey, now: Grey) -> float:
    """Median over pixels of ln(now / before); positive: brighter.

    The median hardly feels what moves. Pixels that are black or white in either tell nothing.
    """
    if before.shape != now.shape:
        return 0.0
    lit = (np.minimum(before, now) > DARKEST) & (np.maximum(before, now) < BRIGHTEST)
    if not lit.any():
        return 0.0
    return float(np.median(np.log(now[lit] / before[lit])))


def likeness(before: Grey, now: Grey) -> float:
    """Correlation of two frames on a grid of a few places, -1..1: what moves inside of them counts little.

    Brighter or darker as a whole makes no difference. A frame without light and dark is like any other.
    """
    one, other = (cv2.resize(grey, LAYOUT, interpolation=cv2.INTER_AREA).ravel() for grey in (before, now))
    if min(one.std(), other.std()) < 1:
        return 1.0
    return float(np.corrcoef(one, other)[0, 1])


def blur(grey: Grey) -> float:
    """How blurred a picture is, 0..1: the share of its edges that a further blur leaves as they are.

    Crete et al., "The blur effect: perception and estimation with a new no-reference perceptual blur
    metric", SPIE 2007.
    """
    from skimage.measure import blur_effect

    # A picture without any edge is neither sharp nor blurred.
    return float(blur_effect(grey / 255, h_size=11)) if grey.std() >= 1 else 0.0


def noise(grey: Grey) -> float:
    """Deviation of white noise, in units of 1/255.

    Immerkaer, "Fast noise variance estimation", 1996, in the blocks of a frame with the least structure, so
    that texture is not taken for grain.
    """
    if min(grey.shape) < BLOCK + 2:
        return 0.0
    response = np.abs(cv2.filter2D(grey, -1, NOISE_KERNEL)[1:-1, 1:-1])
    rows, columns = (length // BLOCK for length in response.shape)
    blocks = response[: rows * BLOCK, : columns * BLOCK].reshape(rows, BLOCK, columns, BLOCK)
    means = blocks.mean(axis=(1, 3))
    return float(np.sqrt(np.pi / 2) / 6 * np.quantile(means, QUIET_SHARE))


def _middle(grey: Grey) -> Grey:
    height, width = grey.shape
    rows, columns = min(height, CROP), min(width, CROP)
    top, left = (height - rows) // 2, (width - columns) // 2
    return grey[top : top + rows, left : left + columns]
