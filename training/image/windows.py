"""Windows: square cut-outs of a scene as the network sees it.

The network's frame is a square of 512 pixels. A quarter of it costs a quarter of the work, so a window of
256 pixels is cut out of the frame, at the scale and with the position codes that it has there.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from training.scenes.scene import Scene

Rng = np.random.Generator
FRAME = 512
# Input pixels to one token; windows lie on the tokens' grid, so that their position codes are slices.
TOKEN = 16
IGNORE = 255
# A whole scene squeezed into a window, rather than a part of it at the frame's scale.
WHOLE_SHARE = 0.45


@dataclass(frozen=True, eq=False)
class Window:
    """A part of a frame.

    Attributes:
        pixels: (S, S, 3) uint8.
        objects: (S, S) uint8, 0 background, 255 ignore, else object numbers.
        corner: (x, y) of the window in the frame, in tokens.
    """

    pixels: NDArray[np.uint8]
    objects: NDArray[np.uint8]
    corner: tuple[int, int]


def cut_window(scene: Scene, side: int, rng: Rng) -> Window:
    """Cut a window of `side` pixels around one of the scene's objects, at a random scale, maybe mirrored."""
    height, width = scene.objects.shape
    room = (FRAME - side) // TOKEN
    corner = (int(rng.integers(room + 1)), int(rng.integers(room + 1)))
    if side == FRAME:
        zoom = 1.0 if rng.random() < 0.6 else float(np.exp(rng.uniform(np.log(0.8), np.log(1.6))))
    elif rng.random() < WHOLE_SHARE:
        zoom = side / FRAME * float(rng.uniform(1.0, 1.25))
    else:
        zoom = float(np.exp(rng.uniform(np.log(0.6), np.log(1.3))))
    stretch = np.exp(rng.normal(0, 0.08))
    scale = np.array([FRAME / width * zoom * stretch, FRAME / height * zoom / stretch])
    middle = _middle(scene, scale, side, rng)
    mirror = -1.0 if rng.random() < 0.5 else 1.0
    # From the scene to the window: scale, mirror, and bring `middle` to the window's centre.
    matrix = np.array([[mirror * scale[0], 0, 0], [0, scale[1], 0]])
    matrix[:, 2] = side / 2 - np.array([mirror, 1]) * middle * scale
    size = (side, side)
    shrinks = scale.min() < 0.75
    pixels, inner = scene.pixels, matrix
    if shrinks:
        # warpAffine does not filter: shrink with area averaging first.
        small = (max(round(width * scale[0]), 1), max(round(height * scale[1]), 1))
        pixels = cv2.resize(scene.pixels, small, interpolation=cv2.INTER_AREA)
        inner = matrix @ np.diag([width / small[0], height / small[1], 1.0])
    return Window(
        cv2.warpAffine(pixels, inner, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101),
        cv2.warpAffine(
            scene.objects,
            matrix,
            size,
            flags=cv2.INTER_NEAREST,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=IGNORE,
        ),
        corner,
    )


def _middle(scene: Scene, scale: NDArray[np.float64], side: int, rng: Rng) -> NDArray[np.float64]:
    """(x, y) in the scene for the window's centre: near an object, inside where the scene is larger."""
    height, width = scene.objects.shape
    numbers = np.unique(scene.objects)
    numbers = numbers[(numbers > 0) & (numbers < IGNORE)]
    half = np.array([side, side]) / scale / 2
    if len(numbers):
        rows, columns = np.nonzero(scene.objects == rng.choice(numbers))
        middle = np.array([columns.min() + columns.max() + 1, rows.min() + rows.max() + 1]) / 2
    else:
        middle = rng.uniform(0, 1, 2) * (width, height)
    middle = middle + rng.uniform(-0.35, 0.35, 2) * half * 2
    room = np.array([width, height]) - half
    inside: NDArray[np.float64] = np.where(
        room > half, np.clip(middle, half, np.maximum(room, half)), np.array([width, height]) / 2
    )
    return inside
