"""Transitions that are no diffusion: nothing, a fade, a warp. Plain controls for what DBST is worth."""

import cv2
import numpy as np
from numpy.typing import NDArray

from kiridashi.core.picture import Picture, Rgb
from kiridashi.reference.transition.options import TransitionOptions

Floats = NDArray[np.float64]
# What the affine control has done at alpha 1: degrees, share of the side, factor's logarithm.
MOST_TURN, MOST_SHIFT, MOST_SCALE = 30.0, 0.15, 0.3


class NoTransition:
    """No frames: the pair as it is, which everything else is to be measured against."""

    name = "none"

    def frames(self, reference: Picture, target: Picture) -> list[Picture]:  # noqa: ARG002
        """An empty list."""
        return []


class CrossFade:
    """Each frame is the mean of the two pictures, weighed by its alpha.

    Args:
        options: only the alphas are used.
    """

    name = "cross-fade"

    def __init__(self, options: TransitionOptions) -> None:
        self._options = options

    def frames(self, reference: Picture, target: Picture) -> list[Picture]:
        """Frames of the target's size."""
        start, end = resized(reference.pixels, target.size), target.pixels
        return [
            Picture(cv2.addWeighted(start, 1 - alpha, end, alpha, 0), f"{self.name} {alpha:.3f}")
            for alpha in self._options.alphas()
        ]


class Affine:
    """The reference, turned, scaled and shifted further from frame to frame.

    Args:
        options: alphas and seed are used.
    """

    name = "affine"

    def __init__(self, options: TransitionOptions) -> None:
        self._options = options

    def frames(self, reference: Picture, target: Picture) -> list[Picture]:
        """Frames of the target's size; what comes in from outside is mirrored."""
        start = resized(reference.pixels, target.size)
        rng = np.random.default_rng(self._options.seed)
        turn, across, down, growth = rng.uniform(-1, 1, 4)
        height, width = target.size
        frames = []
        for alpha in self._options.alphas():
            warp = cv2.getRotationMatrix2D(
                ((width - 1) / 2, (height - 1) / 2),
                alpha * turn * MOST_TURN,
                float(np.exp(alpha * growth * MOST_SCALE)),
            )
            warp[:, 2] += alpha * MOST_SHIFT * np.array([across * width, down * height])
            pixels = cv2.warpAffine(start, warp, (width, height), borderMode=cv2.BORDER_REFLECT_101)
            frames.append(Picture(pixels, f"{self.name} {alpha:.3f}"))
        return frames


def resized(pixels: Rgb, size: tuple[int, int]) -> Rgb:
    """(H, W, 3) pixels at another (height, width), the aspect changed if need be."""
    if pixels.shape[:2] == size:
        return pixels
    shrinks = pixels.shape[0] >= size[0] and pixels.shape[1] >= size[1]
    way = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    result: Rgb = cv2.resize(pixels, size[::-1], interpolation=way)
    return result
