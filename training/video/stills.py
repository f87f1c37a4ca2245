"""Clips from one photograph: a camera moves over it, and often one of its objects moves too."""

import cv2
import numpy as np

from training.image.windows import FRAME
from training.scenes.scene import IGNORE, Pixels, Rng, Scene
from training.scenes.store import premultiplied
from training.video.composed import Drawn, film
from training.video.motion import camera, wander
from training.video.sprites import Sprite, make_sprite

MOVING_SHARE = 0.6
CALM_SHARE = 0.15
# Smaller parts of the photograph are no objects to follow.
LEAST_SHARE = 0.004
# Below it a warp alone would skip pixels.
LEAST_ZOOM = 0.7
TARGET = 1


def draw_still(side: int, frames: int, scene: Scene, rng: Rng) -> Drawn | None:
    """A clip of S x S pixels around one of the scene's objects; None if there is none.

    Args:
        side: S.
        frames: T.
        scene: the photograph.
        rng: draws everything else.
    """
    areas = np.bincount(scene.objects.ravel(), minlength=256)
    areas[0] = areas[IGNORE] = 0
    numbers = np.flatnonzero(areas >= LEAST_SHARE * scene.objects.size)
    if not len(numbers):
        return None
    labels = _target_first(scene.objects, int(rng.choice(numbers)))
    x, y, width, height = cv2.boundingRect((labels == TARGET).astype(np.uint8))
    middle = np.array([x + width / 2, y + height / 2])
    ground, sprites = scene.pixels, []
    zoom = _zoom(side, max(scene.objects.shape), rng)
    if rng.random() < MOVING_SHARE:
        sprites = [(TARGET, _cut(scene.pixels, labels, middle, frames, zoom, rng))]
        ground, labels = _without(scene.pixels, labels)
    aim = middle + rng.uniform(-0.3, 0.3, 2) * side / zoom
    views = camera(frames, side, aim, zoom, bool(rng.random() < CALM_SHARE), rng)
    if zoom < LEAST_ZOOM:
        ground = cv2.GaussianBlur(ground, (0, 0), 0.4 / zoom)
    return film(ground, labels, sprites, views, side, outside=IGNORE)


def _target_first(objects: Pixels, chosen: int) -> Pixels:
    table = np.full(256, 2, np.uint8)
    table[0], table[IGNORE], table[chosen] = 0, IGNORE, TARGET
    return table[objects]


def _zoom(side: int, longest: int, rng: Rng) -> float:
    """Window pixels to a pixel of the photograph: all of it in the window, or as in the network's frame."""
    whole = side / longest
    if side == FRAME or rng.random() < 0.45:
        return float(whole * np.exp(rng.uniform(0, 0.3)))
    return float(FRAME / longest * np.exp(rng.uniform(np.log(0.6), np.log(1.3))))


def _cut(pixels: Pixels, labels: Pixels, middle: np.ndarray, frames: int, zoom: float, rng: Rng) -> Sprite:
    """The object as a sprite that starts where it is."""
    alpha = np.where(labels == TARGET, np.uint8(255), np.uint8(0))
    alpha = cv2.GaussianBlur(cv2.erode(alpha, np.ones((3, 3), np.uint8)), (3, 3), 0)
    rgba = premultiplied(np.dstack([pixels, alpha]))
    longest = max(rgba.shape[:2])
    if zoom < LEAST_ZOOM:
        size = tuple(max(round(n * zoom), 1) for n in rgba.shape[1::-1])
        rgba = cv2.resize(rgba, size, interpolation=cv2.INTER_AREA)
    speed = float(np.exp(rng.normal(np.log(0.03), 0.8))) * max(pixels.shape[:2])
    path = middle + wander(frames, speed, rng)
    return make_sprite(rgba, float(longest), path, 0.0, rng)


def _without(pixels: Pixels, labels: Pixels) -> tuple[Pixels, Pixels]:
    """The picture with the target and what is unknown around it filled from what surrounds them."""
    gone = cv2.dilate((labels == TARGET).astype(np.uint8), np.ones((9, 9), np.uint8))
    hole = gone | ((labels == IGNORE) & (cv2.dilate(gone, np.ones((9, 9), np.uint8)) > 0)).astype(np.uint8)
    filled = cv2.copyTo(_surroundings(pixels, hole), hole, pixels.copy())
    kept: Pixels = np.where(hole > 0, np.uint8(0), labels)
    return filled, kept


def _surroundings(pixels: Pixels, hole: Pixels) -> Pixels:
    """Each pixel's known neighbourhood, averaged (Knutsson and Westin's normalised convolution, 1993)."""
    size = (max(pixels.shape[1] // 4, 4), max(pixels.shape[0] // 4, 4))
    known = cv2.resize(1 - hole, size, interpolation=cv2.INTER_NEAREST).astype(np.float32)
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_NEAREST).astype(np.float32)
    total, weight = np.zeros_like(small), np.full(known.shape, 1e-6, np.float32)
    for sigma, share in ((2.0, 1.0), (8.0, 1e-2), (30.0, 1e-4)):
        total += share * cv2.GaussianBlur(small * known[..., None], (0, 0), sigma)
        weight += share * cv2.GaussianBlur(known, (0, 0), sigma)
    near = np.clip(total / weight[..., None], 0, 255).astype(np.uint8)
    return np.asarray(cv2.resize(near, pixels.shape[1::-1], interpolation=cv2.INTER_CUBIC), dtype=np.uint8)
