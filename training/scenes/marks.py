"""Surfaces with defects, and wires on textures: thin and faint things."""

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from training.scenes.layer import LEAST_PIXELS, drop_hidden
from training.scenes.scene import Pixels, Rng, Scene, components
from training.scenes.textures import draw_texture, surface
from training.surfaces import DEFECTS, LEAST_VISIBLE, draw_site

WIRE_SHARE = 0.3
# Pieces of one crack this close to each other (pixels) are one crack.
BRIDGE = {"scratch": 14, "crack": 14}
MOST_WIRES = 7


def draw_marks(size: tuple[int, int], rng: Rng) -> Scene:
    """A surface of `size` (height, width) with one kind of defect, or a texture with wires."""
    return _wires(size, rng) if rng.random() < WIRE_SHARE else _defects(size, rng)


def _defects(size: tuple[int, int], rng: Rng) -> Scene:
    names = sorted(DEFECTS)
    defect = names[int(rng.integers(len(names)))]
    site = replace(draw_site("plain", defect, rng), size=size, scale=float(rng.uniform(0.7, 2.0)))
    ground: NDArray[np.float32] = surface(size, rng).astype(np.float32) / np.float32(255)
    alpha = DEFECTS[defect](site, rng)
    # What is weaker than the surface itself nobody could mark.
    rough = float(cv2.cvtColor(ground, cv2.COLOR_RGB2GRAY).std())
    strength = max(site.contrast * rng.uniform(0.8, 1.25), LEAST_VISIBLE * rough)
    if defect == "patch":
        shift = np.asarray(strength * site.polarity * site.tint, dtype=np.float32)
        marked = _worn(ground, shift, rng)
    else:
        # A dark mark on a dark surface would not show; it turns light, and the other way round.
        mean = float(ground.mean())
        polarity = site.polarity if 0.25 < mean < 0.75 else np.sign(0.5 - mean)
        marked = ground + np.float32(0.7 * polarity * strength) * site.tint
    pixels: Pixels = np.clip((ground + alpha[..., None] * (marked - ground)) * 255, 0, 255).astype(np.uint8)
    return Scene(pixels, components(alpha > 0.5, LEAST_PIXELS, BRIDGE.get(defect, 0)))


def _worn(ground: NDArray[np.float32], shift: NDArray[np.float32], rng: Rng) -> NDArray[np.float32]:
    """The surface inside a patch: smoothed or turned, lighter or darker."""
    other = cv2.GaussianBlur(ground, (0, 0), 3.0) if rng.random() < 0.5 else ground[::-1, ::-1]
    worn: NDArray[np.float32] = (other + np.float32(0.4) * shift).astype(np.float32)
    return worn


def _wires(size: tuple[int, int], rng: Rng) -> Scene:
    """One to seven wires or threads, each an object; where they cross, the later one is seen."""
    pixels, labels = draw_texture(size, rng), np.zeros(size, np.uint8)
    areas: dict[int, int] = {}
    for number in range(1, int(rng.integers(1, MOST_WIRES + 1)) + 1):
        width = float(np.exp(rng.uniform(np.log(1.5), np.log(9))))
        path = _wire(size, rng)
        alpha = _line(size, path, width)
        inside = alpha >= 128
        ground = pixels[inside].mean() if inside.any() else 128.0
        # At least a quarter of the range away from what it lies on, so that it can be seen.
        grey = (ground + rng.choice([-1, 1]) * rng.uniform(64, 127)) % 256
        colour = np.clip(grey + (rng.uniform(-50, 50, 3) if rng.random() < 0.5 else np.zeros(3)), 0, 255)
        _blend(pixels, alpha, colour)
        if width > 3:
            # A round wire has a bright line along it.
            _blend(pixels, _line(size, path - width / 6, width / 4) // 2, np.minimum(colour + 70, 255))
        labels[inside] = number
        areas[number] = int(np.count_nonzero(inside))
    return Scene(pixels, drop_hidden(labels, areas))


def _wire(size: tuple[int, int], rng: Rng) -> NDArray[np.float64]:
    """(N, 2) points x, y of a smooth path, a straight one at times."""
    height, width = size
    ends = rng.uniform(-0.05, 1.05, (2, 2)) * (width, height)
    along = np.linspace(0, 1, 80)[:, None]
    path: NDArray[np.float64] = ends[0] * (1 - along) + ends[1] * along
    bend = rng.choice([0.0, 0.05, 0.2, 0.4]) * min(size)
    for wave in range(1, 5):
        swing = rng.normal(0, bend / wave, 2)
        path = path + np.sin(np.pi * wave * along + rng.uniform(0, 2 * np.pi)) * swing
    return path


def _line(size: tuple[int, int], path: NDArray[np.float64], width: float) -> Pixels:
    """(H, W) uint8 alpha of a line, twice oversampled."""
    canvas = np.zeros((size[0] * 2, size[1] * 2), np.uint8)
    points = np.round((path * 2 + 0.5) * 16).astype(np.int32)
    cv2.polylines(canvas, [points], False, 255, max(round(2 * width), 1), cv2.LINE_AA, 4)
    alpha: Pixels = cv2.resize(canvas, size[::-1], interpolation=cv2.INTER_AREA)
    return alpha


def _blend(pixels: Pixels, alpha: Pixels, colour: NDArray[np.float64]) -> None:
    rows, columns = np.nonzero(alpha)
    share = (alpha[rows, columns] / np.float32(255))[:, None]
    pixels[rows, columns] = (pixels[rows, columns] * (1 - share) + colour * share).astype(np.uint8)
