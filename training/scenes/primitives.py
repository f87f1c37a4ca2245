"""Made-up workpieces as cut-outs: discs, rings, nuts, bolts, pills, gears and the like, with shading."""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from training.scenes.scene import Pixels, Rng
from training.scenes.store import premultiplied

SIDE = 112
# Subpixel bits of OpenCV's drawing functions.
SHIFT = 4
Outline = NDArray[np.float64]


def draw_primitive(rng: Rng) -> Pixels:
    """(h, w, 4) uint8, colours multiplied by alpha, longer side about `SIDE`."""
    names = sorted(SHAPES)
    alpha = np.zeros((SIDE, SIDE), np.uint8)
    for outline, value in SHAPES[names[int(rng.integers(len(names)))]](rng):
        points = np.round((outline * 0.46 + 0.5) * (SIDE - 1) * 2**SHIFT).astype(np.int32)
        cv2.fillPoly(alpha, [points], value, cv2.LINE_AA, SHIFT)
    return premultiplied(np.dstack([_lit(alpha, rng), alpha]))


def _lit(alpha: Pixels, rng: Rng) -> Pixels:
    """A rounded or flat body in slanting light, with a highlight and a grain."""
    depth = cv2.distanceTransform((alpha >= 128).astype(np.uint8), cv2.DIST_L2, 5)
    bevel = rng.uniform(2, 26)
    height = np.sqrt(np.maximum(1 - (1 - np.minimum(depth / bevel, 1)) ** 2, 0)).astype(np.float32) * bevel
    height = cv2.GaussianBlur(height, (0, 0), 1.2)
    slope_x, slope_y = cv2.Sobel(height, cv2.CV_32F, 1, 0) / 8, cv2.Sobel(height, cv2.CV_32F, 0, 1) / 8
    length = np.sqrt(slope_x**2 + slope_y**2 + 1)
    heading, rise = rng.uniform(0, 2 * np.pi), rng.uniform(0.6, 1.2)
    flat = np.cos(rise)
    lambert = (np.sin(rise) - flat * (np.cos(heading) * slope_x + np.sin(heading) * slope_y)) / length
    colour = rng.uniform(0.12, 0.95, 3) if rng.random() < 0.5 else np.full(3, rng.uniform(0.15, 0.85))
    grain = rng.standard_normal((SIDE, SIDE), np.float32) * np.float32(rng.uniform(0, 0.05))
    light = 0.35 + 0.75 * np.maximum(lambert, 0) + cv2.GaussianBlur(grain, (0, 0), rng.uniform(0.5, 1.5))
    shine = rng.uniform(0, 0.8) * np.maximum(lambert, 0) ** rng.uniform(12, 60)
    body = colour * light[..., None] + shine[..., None]
    pixels: Pixels = np.clip(body * 255, 0, 255).astype(np.uint8)
    return pixels


# A shape is outlines in -1..1, each with the alpha that fills it: 255 adds, 0 cuts a hole.
Shape = list[tuple[Outline, int]]


def _ellipse(a: float, b: float, corners: int = 48) -> Outline:
    turn = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    return np.stack([a * np.cos(turn), b * np.sin(turn)], axis=1)


def _box(left: float, top: float, right: float, bottom: float) -> Outline:
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]])


def _capsule(radius: float) -> Outline:
    turn = np.linspace(-np.pi / 2, np.pi / 2, 20)
    cap = np.stack([np.cos(turn), np.sin(turn)], axis=1) * radius
    middle = np.array([1 - radius, 0])
    return np.concatenate([cap + middle, -cap - middle])


def _disc(rng: Rng) -> Shape:
    return [(_ellipse(1, rng.uniform(0.75, 1)), 255)]


def _ring(rng: Rng) -> Shape:
    hole = rng.uniform(0.3, 0.8)
    return [(_ellipse(1, 1), 255), (_ellipse(hole, hole), 0)]


def _nut(rng: Rng) -> Shape:
    hole = rng.uniform(0.35, 0.65)
    return [(_ellipse(1, 1, int(rng.choice([4, 6, 6, 8]))), 255), (_ellipse(hole, hole), 0)]


def _pill(rng: Rng) -> Shape:
    return [(_capsule(rng.uniform(0.25, 0.6)), 255)]


def _bolt(rng: Rng) -> Shape:
    shaft, head, depth = rng.uniform(0.12, 0.3), rng.uniform(0.32, 0.6), rng.uniform(0.25, 0.55)
    return [(_box(-1 + depth / 2, -shaft, 1, shaft), 255), (_box(-1, -head, -1 + depth, head), 255)]


def _screw(rng: Rng) -> Shape:
    """A countersunk head, a threaded shaft and a point."""
    shaft, head = rng.uniform(0.12, 0.22), rng.uniform(0.3, 0.5)
    turns = int(rng.integers(5, 12))
    x = np.linspace(-0.6, 0.75, 2 * turns)
    thread = shaft * (1 + 0.3 * (np.arange(2 * turns) % 2))
    side = np.stack([x, thread], axis=1)
    outline = np.concatenate([[[-1, -head], [-1, head], [-0.8, head]], side, [[1, 0]], side[::-1] * [1, -1]])
    return [(np.concatenate([outline, [[-0.8, -head]]]), 255)]


def _gear(rng: Rng) -> Shape:
    teeth, hole = int(rng.integers(7, 18)), rng.uniform(0.15, 0.5)
    turn = np.linspace(0, 2 * np.pi, 4 * teeth, endpoint=False)
    radius = np.where(np.arange(4 * teeth) % 4 < 2, 1.0, rng.uniform(0.75, 0.88))
    wheel = np.stack([np.cos(turn), np.sin(turn)], axis=1) * radius[:, None]
    return [(wheel, 255), (_ellipse(hole, hole), 0)]


def _plate(rng: Rng) -> Shape:
    height = rng.uniform(0.3, 1)
    shape = [(_box(-1, -height, 1, height), 255)]
    if rng.random() < 0.5:
        radius = rng.uniform(0.08, 0.3 * height)
        places = [(-0.6, 0.0), (0.6, 0.0)] if rng.random() < 0.5 else [(0.0, 0.0)]
        shape += [(_ellipse(radius, radius) + place, 0) for place in places]
    return shape


def _bean(rng: Rng) -> Shape:
    """A seed or pebble: a smooth, uneven outline."""
    turn = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    radius = np.ones(64)
    for wave in (1, 2, 3, 4):
        radius += rng.uniform(-0.12, 0.12) * np.cos(wave * turn + rng.uniform(0, 6))
    outline = np.stack([np.cos(turn), rng.uniform(0.45, 1) * np.sin(turn)], axis=1) * radius[:, None]
    return [(outline / np.abs(outline).max(), 255)]


def _angle(rng: Rng) -> Shape:
    """An L- or T-shaped bracket."""
    width, start = rng.uniform(0.3, 0.6), rng.choice([-1.0, -0.25])
    return [(_box(-1, 1 - width, 1, 1), 255), (_box(start, -1, start + width, 1), 255)]


SHAPES: dict[str, Callable[[Rng], Shape]] = {
    "disc": _disc,
    "ring": _ring,
    "nut": _nut,
    "pill": _pill,
    "bolt": _bolt,
    "screw": _screw,
    "gear": _gear,
    "plate": _plate,
    "bean": _bean,
    "angle": _angle,
}
