"""Cheap textures: crops of a fixed bank of procedural surfaces, and gradients, clouds, stripes, checks."""

from dataclasses import replace
from functools import cache

import cv2
import numpy as np

from training.scenes.scene import Pixels, Rng
from training.surfaces import SURFACES, draw_site

# A surface takes up to a tenth of a second to make, far too long for one scene: a bank is made once,
# the same in every process, and each scene cuts, turns, scales and tints a piece of it.
BANK_SIDE = 448
BANK_EACH = 4
PLAIN_SHARE = 0.35


def draw_texture(size: tuple[int, int], rng: Rng) -> Pixels:
    """(H, W, 3) uint8 of any kind."""
    return plain(size, rng) if rng.random() < PLAIN_SHARE else surface(size, rng)


def surface(size: tuple[int, int], rng: Rng) -> Pixels:
    """A piece of brushed metal, casting, wood, weave, print, paint, brick, grass or gravel."""
    names = sorted(SURFACES)
    sheet = _sheet(names[int(rng.integers(len(names)))], int(rng.integers(BANK_EACH)))
    sheet = np.rot90(sheet, int(rng.integers(4)))
    height, width = size
    zoom = rng.uniform(max(height, width) / BANK_SIDE, 2.2 * max(height, width) / BANK_SIDE)
    h, w = min(int(height / zoom), BANK_SIDE), min(int(width / zoom), BANK_SIDE)
    y, x = int(rng.integers(BANK_SIDE - h + 1)), int(rng.integers(BANK_SIDE - w + 1))
    piece = np.ascontiguousarray(sheet[y : y + h, x : x + w])
    return _tinted(cv2.resize(piece, (width, height), interpolation=cv2.INTER_LINEAR), rng)


def plain(size: tuple[int, int], rng: Rng) -> Pixels:
    """A gradient between colours with clouds, stripes, checks or nothing on it."""
    height, width = size
    base = rng.uniform(20, 235, 3) if rng.random() < 0.6 else np.full(3, rng.uniform(15, 240))
    corners = np.clip(base + rng.uniform(-35, 35, (2, 2, 1)) + rng.uniform(-12, 12, (2, 2, 3)), 0, 255)
    field = cv2.resize(corners.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    pattern = rng.random()
    if pattern < 0.45:
        field += _clouds(size, rng)[..., None] * np.float32(rng.uniform(3, 22))
    elif pattern < 0.75:
        colour = rng.uniform(-60, 60, 3).astype(np.float32)
        field += _waves(size, rng, checks=pattern > 0.62)[..., None] * colour
    result: Pixels = cv2.convertScaleAbs(cv2.max(field, 0))
    return result


def _clouds(size: tuple[int, int], rng: Rng) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """Noise of three scales, standard deviation about 1."""
    total = np.zeros(size, np.float32)
    for cells in rng.choice([3, 6, 12, 30, 80], 3, replace=False):
        small = rng.standard_normal((int(cells), int(cells)), np.float32)
        total += cv2.resize(small, size[::-1], interpolation=cv2.INTER_CUBIC) * np.float32(0.6)
    return total


def _waves(
    size: tuple[int, int], rng: Rng, checks: bool
) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """Stripes or checks in -1..1, at any angle, with hard or soft edges."""
    angle, period = rng.uniform(0, np.pi), np.exp(rng.uniform(np.log(6), np.log(90)))
    y, x = np.ogrid[: size[0], : size[1]]
    turn = 2 * np.pi / period
    u = np.sin(turn * (np.cos(angle) * x + np.sin(angle) * y)).astype(np.float32)
    if checks:
        u *= np.sin(turn * (np.cos(angle) * y - np.sin(angle) * x)).astype(np.float32)
    waves: np.ndarray[tuple[int, ...], np.dtype[np.float32]] = np.clip(u * rng.uniform(1, 8), -1, 1)
    return waves.astype(np.float32)


def _tinted(pixels: Pixels, rng: Rng) -> Pixels:
    """Another colour and contrast."""
    steps = np.arange(256)[:, None]
    colour = rng.uniform(-0.25, 0.25, 3) if rng.random() < 0.5 else np.zeros(3)
    curve = (steps - 128) * rng.uniform(0.6, 1.3) + 128 * rng.uniform(0.65, 1.35)
    table = np.clip(curve * (1 + colour), 0, 255).astype(np.uint8)
    tinted: Pixels = cv2.LUT(pixels, table[None])
    return tinted


@cache
def _sheet(name: str, number: int) -> Pixels:
    """Number `number` of the bank's sheets of a surface, (BANK_SIDE, BANK_SIDE, 3)."""
    rng = np.random.default_rng([number, sorted(SURFACES).index(name)])
    site = replace(draw_site(name, "spot", rng), size=(BANK_SIDE, BANK_SIDE))
    sheet: Pixels = np.clip(SURFACES[name](site, rng) * 255, 0, 255).astype(np.uint8)
    return sheet
