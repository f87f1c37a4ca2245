"""Clips of cut-outs that move over a picture, before and behind each other."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from training.scenes.backgrounds import Backgrounds
from training.scenes.cut_outs import CutOuts, draw_cut_out
from training.scenes.layer import Layer, recoloured
from training.scenes.scene import Pixels, Rng
from training.video.motion import Values, applied, camera, excursion, wander
from training.video.sprites import Sprite, make_sprite, paste, smeared

# Side of the world in parts of the window's.
WORLD = 1.6
MOST_OTHERS = 4
LOOK_ALIKE_SHARE = 0.4
LEAVING_SHARE = 0.2
CROSSING_SHARE = 0.4
CALM_SHARE = 0.3
BLURRED_SHARE = 0.2
SMALLEST, LARGEST = 0.08, 0.9


@dataclass(frozen=True, eq=False)
class Drawn:
    """Frames and labels as in `Clip`, before the camera's sensor.

    Attributes:
        pixels: (T, S, S, 3) uint8.
        objects: (T, S, S) uint8.
    """

    pixels: Pixels
    objects: Pixels


def draw_composed(
    side: int, frames: int, cut_outs: Mapping[str, CutOuts], backgrounds: Backgrounds, rng: Rng
) -> Drawn:
    """One object to follow and one to four others, some of them its look-alikes."""
    world = round(WORLD * side)
    ground, _ = backgrounds.draw((world, world), rng)
    views = camera(frames, side, np.full(2, world / 2), 1.0, bool(rng.random() < CALM_SHARE), rng)
    target, path, cut = _target(side, frames, cut_outs, views, rng)
    others = [
        _other(side, cut_outs, views, path, cut, rng) for _ in range(int(rng.integers(1, MOST_OTHERS + 1)))
    ]
    order = [(1, target), *((number, sprite) for number, sprite in enumerate(others, start=2))]
    order = [order[int(n)] for n in rng.permutation(len(order))]
    blur = float(rng.uniform(0.2, 0.6)) if rng.random() < BLURRED_SHARE else 0.0
    return film(ground, np.zeros(ground.shape[:2], np.uint8), order, views, side, blur)


def film(
    ground: Pixels,
    labels: Pixels,
    sprites: list[tuple[int, Sprite]],
    views: Values,
    side: int,
    blur: float = 0.0,
    outside: int = 0,
) -> Drawn:
    """What the camera sees of a ground with sprites on it.

    Args:
        ground: (H, W, 3) uint8.
        labels: (H, W) uint8, of the ground.
        sprites: (number, sprite), the farthest first.
        views: (T, 3, 3).
        side: S.
        blur: part of the way between frames over which the ground is smeared.
        outside: label of what lies beyond the ground, where its mirror image is seen.
    """
    size = (side, side)
    all_pixels, all_objects = [], []
    for frame, view in enumerate(views):
        pixels = cv2.warpAffine(
            ground, view[:2], size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
        )
        objects = cv2.warpAffine(labels, view[:2], size, flags=cv2.INTER_NEAREST, borderValue=outside)
        if blur and frame:
            middle = np.array([side / 2, side / 2])
            there = applied(np.linalg.inv(view), middle)
            pixels = smeared(pixels, blur * (middle - applied(views[frame - 1], there)))
        for number, sprite in sprites:
            paste(sprite, number, frame, views, pixels, objects)
        all_pixels.append(pixels)
        all_objects.append(objects)
    return Drawn(np.stack(all_pixels), np.stack(all_objects))


def _target(
    side: int, frames: int, cut_outs: Mapping[str, CutOuts], views: Values, rng: Rng
) -> tuple[Sprite, Values, Pixels]:
    cut = _coloured(draw_cut_out(cut_outs, rng), rng)
    path = _seen(rng.uniform(0.15, 0.85, 2) * side, views[0]) + _moving(side, frames, rng)
    if rng.random() < LEAVING_SHARE:
        path = path + excursion(frames, float(rng.uniform(0.7, 1.3)) * side, rng)
    return make_sprite(cut, _side(side, rng), path, _angle(rng), rng), path, cut


def _other(
    side: int, cut_outs: Mapping[str, CutOuts], views: Values, target: Values, cut: Pixels, rng: Rng
) -> Sprite:
    """Another object: at times a look-alike, at times on the target's way."""
    frames = len(target)
    if rng.random() < LOOK_ALIKE_SHARE:
        alike = cut[:, ::-1] if rng.random() < 0.5 else cut
        chosen = _coloured(np.ascontiguousarray(alike), rng, 0.3)
    else:
        chosen = _coloured(draw_cut_out(cut_outs, rng), rng)
    path = _seen(rng.uniform(0, 1, 2) * side, views[0]) + _moving(side, frames, rng)
    if rng.random() < CROSSING_SHARE:
        meeting = int(rng.integers(1, frames))
        path = path + (target[meeting] + rng.normal(0, 0.08 * side, 2) - path[meeting])
    return make_sprite(chosen, _side(side, rng), path, _angle(rng), rng)


def _moving(side: int, frames: int, rng: Rng) -> Values:
    return wander(frames, float(np.exp(rng.normal(np.log(0.03), 0.9))) * side, rng)


def _seen(place: NDArray[np.floating[Any]], view: Values) -> Values:
    """The point of the world that lies at a point of a window."""
    return applied(np.linalg.inv(view), place)


def _side(side: int, rng: Rng) -> float:
    return float(np.exp(rng.uniform(np.log(SMALLEST), np.log(LARGEST)))) * side


def _angle(rng: Rng) -> float:
    return float(rng.normal(0, 0.25) if rng.random() < 0.7 else rng.uniform(-np.pi, np.pi))


def _coloured(cut: Pixels, rng: Rng, strength: float = 1.0) -> Pixels:
    return recoloured(Layer(0, 0, np.ascontiguousarray(cut)), rng, strength).rgba
