"""Cut-outs that move over a clip, change their shape a little and are seen through a camera."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from training.scenes.scene import Pixels
from training.video.motion import Rng, Values, chain, scaled, sheared, shifted, smooth, turned

# Alpha from which a pixel belongs to the object: half of it is covered.
INSIDE = 128
WOBBLING_SHARE = 0.35
# Of the wobble, in parts of the longer side.
REACH = 0.06
BLURRED_SHARE = 0.3
# Below it a warp alone would skip pixels.
LEAST_SCALE = 0.7
# Half the length of a smear in pixels at most.
MOST_BLUR = 8


@dataclass(frozen=True, eq=False)
class Sprite:
    """One moving cut-out.

    Attributes:
        rgba: (h, w, 4) uint8, colours multiplied by alpha, at most about the size it is seen at.
        places: (T, 3, 3) from its pixels to the world.
        wobble: (h, w, 2) float32 displacement in its own pixels at full strength, or None.
        strength: (T,) of the wobble, -1..1.
        shutter: 0..1, the part of the way between two frames over which it is smeared.
    """

    rgba: Pixels
    places: Values
    wobble: NDArray[np.float32] | None
    strength: Values
    shutter: float


def make_sprite(rgba: Pixels, side: float, path: Values, angle: float, rng: Rng) -> Sprite:
    """A cut-out on a path, with slow changes of size, direction and shape.

    Args:
        rgba: (h, w, 4) uint8, colours multiplied by alpha.
        side: its longer side in the world, pixels.
        path: (T, 2) x, y of its middle in the world.
        angle: in the first frame, radians.
        rng: draws the changes.
    """
    frames = len(path)
    scale = side / max(rgba.shape[:2])
    if scale < LEAST_SCALE:
        size = tuple(max(round(n * scale), 1) for n in rgba.shape[1::-1])
        rgba, scale = cv2.resize(rgba, size, interpolation=cv2.INTER_AREA), 1.0
    wobbles = rng.random() < WOBBLING_SHARE
    if wobbles:
        # Room for what bends outwards.
        pad = int(np.ceil(REACH * max(rgba.shape[:2])))
        rgba = cv2.copyMakeBorder(rgba, pad, pad, pad, pad, cv2.BORDER_CONSTANT, value=(0, 0, 0, 0))
    size_change = scale * np.exp(smooth(frames, 0.03, 0.04, rng))
    turn = angle + smooth(frames, 0.04, 0.06, rng)
    stretch = np.exp(smooth(frames, 0.02, 0.03, rng))
    shear = smooth(frames, 0.02, 0.03, rng)
    half = np.array(rgba.shape[1::-1]) / 2
    places = np.stack(
        [
            chain(
                shifted(-half),
                scaled((size_change[t] * stretch[t], size_change[t] / stretch[t])),
                sheared(shear[t]),
                turned(turn[t]),
                shifted(path[t]),
            )
            for t in range(frames)
        ]
    )
    wobble = _wobble(rgba.shape[:2], rng) if wobbles else None
    shutter = float(rng.uniform(0.2, 0.6)) if rng.random() < BLURRED_SHARE else 0.0
    return Sprite(rgba, places, wobble, np.clip(smooth(frames, 0.3, 0.6, rng), -1, 1), shutter)


def paste(sprite: Sprite, number: int, frame: int, views: Values, pixels: Pixels, objects: Pixels) -> None:
    """Lay a sprite over one frame in place.

    Args:
        sprite: to lay.
        number: its label.
        frame: index in the clip.
        views: (T, 3, 3) of the camera.
        pixels: (S, S, 3) uint8.
        objects: (S, S) uint8.
    """
    matrix = views[frame] @ sprite.places[frame]
    blur = sprite.shutter * _way(sprite, frame, views)
    here = _box(matrix, sprite.rgba.shape[:2], MOST_BLUR if blur.any() else 0, len(objects))
    if here is None:
        return
    x, y, width, height = here
    rgba = sprite.rgba if sprite.wobble is None else _wobbled(sprite, frame)
    local = (shifted(-np.array([x, y], float)) @ matrix)[:2]
    layer = np.asarray(cv2.warpAffine(rgba, local, (width, height), flags=cv2.INTER_LINEAR), dtype=np.uint8)
    there = slice(y, y + height), slice(x, x + width)
    objects[there][layer[..., 3] >= INSIDE] = number
    layer = smeared(layer, blur)
    rest = cv2.multiply(pixels[there], cv2.merge([255 - layer[..., 3]] * 3), scale=1 / 255)
    pixels[there] = cv2.add(rest, cv2.cvtColor(layer, cv2.COLOR_RGBA2RGB))


def _box(matrix: Values, size: tuple[int, int], margin: int, side: int) -> tuple[int, int, int, int] | None:
    """x, y, width, height of what a warped picture may touch in a window; None if it lies outside."""
    height, width = size
    corners = matrix[:2] @ np.array([[-1, width, width, -1], [-1, -1, height, height], [1, 1, 1, 1]])
    low = np.clip(np.floor(corners.min(axis=1)).astype(int) - margin, 0, side)
    high = np.clip(np.ceil(corners.max(axis=1)).astype(int) + margin + 1, 0, side)
    x, y, right, bottom = int(low[0]), int(low[1]), int(high[0]), int(high[1])
    return (x, y, right - x, bottom - y) if right > x and bottom > y else None


def smeared(pixels: Pixels, way: Values) -> Pixels:
    """Motion blur along (2,) x, y pixels; less than 2 pixels change nothing."""
    length = float(np.hypot(*way))
    if length < 2:
        return pixels
    half = min(int(np.ceil(length / 2)), MOST_BLUR)
    kernel = np.zeros((2 * half + 1, 2 * half + 1), np.float32)
    reach = half * way / length
    ends = [tuple(int(n) for n in np.round(half + sign * reach)) for sign in (-1, 1)]
    cv2.line(kernel, ends[0], ends[1], 1.0)
    return np.asarray(cv2.filter2D(pixels, -1, kernel / kernel.sum()), dtype=np.uint8)


def _way(sprite: Sprite, frame: int, views: Values) -> Values:
    """(2,) how far its middle moves in the window from the frame before to this one."""
    middle = np.array([sprite.rgba.shape[1] / 2, sprite.rgba.shape[0] / 2, 1.0])
    before = max(frame - 1, 0)
    now, then = (views[t] @ sprite.places[t] @ middle for t in (frame, before))
    way: Values = (now - then)[:2]
    return way


def _wobble(size: tuple[int, int], rng: Rng) -> NDArray[np.float32]:
    coarse = rng.normal(0, REACH * max(size), (4, 4, 2)).astype(np.float32)
    return np.asarray(cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_CUBIC), dtype=np.float32)


def _wobbled(sprite: Sprite, frame: int) -> Pixels:
    if sprite.wobble is None or sprite.strength[frame] == 0:
        return sprite.rgba
    height, width = sprite.rgba.shape[:2]
    grid = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1).astype(np.float32)
    grid += sprite.wobble * np.float32(sprite.strength[frame])
    return np.asarray(cv2.remap(sprite.rgba, grid, None, cv2.INTER_LINEAR), dtype=np.uint8)
