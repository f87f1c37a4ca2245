"""Warp a cut-out, give it light and shadow, and lay it over a picture."""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from training.scenes.scene import IGNORE, Pixels, Rng

# Alpha from which a pixel belongs to the object: half of it is covered.
INSIDE = 128
LEAST_VISIBLE = 0.15
LEAST_PIXELS = 12


@dataclass(frozen=True, eq=False)
class Layer:
    """A warped cut-out and where it lies; parts may lie outside of the picture.

    Attributes:
        top: row of its first pixel in the picture, may be negative.
        left: column of its first pixel.
        rgba: (h, w, 4) uint8, colours multiplied by alpha.
    """

    top: int
    left: int
    rgba: Pixels

    @property
    def area(self) -> int:
        """Pixels that belong to the object, outside of the picture too."""
        return int(np.count_nonzero(self.rgba[..., 3] >= INSIDE))


def warped(
    cut: Pixels,
    side: float,
    centre: tuple[float, float],
    angle: float,
    rng: Rng,
    shear: float = 0.15,
    tilt: float = 0.07,
) -> Layer:
    """A cut-out turned, sheared, mirrored and slightly tilted.

    Args:
        cut: (h, w, 4) uint8, colours multiplied by alpha.
        side: its longer side in the picture, pixels.
        centre: (x, y) in the picture.
        angle: radians.
        rng: draws shear, tilt and whether it is mirrored.
        shear: largest shear.
        tilt: how far, in parts of the side, each corner moves at most (perspective).
    """
    if rng.random() < 0.5:
        cut = cut[:, ::-1]
    cut = _shrunk(np.ascontiguousarray(cut), side)
    height, width = cut.shape[:2]
    scale = side / max(height, width)
    stretch = np.exp(rng.uniform(-shear, shear))
    half = np.array([width * stretch, height / stretch]) * scale / 2
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * half
    corners[:, 0] += rng.uniform(-shear, shear) * corners[:, 1]
    corners += rng.uniform(-tilt, tilt, (4, 2)) * 2 * half.min()
    cos, sin = np.cos(angle), np.sin(angle)
    corners = corners @ np.array([[cos, sin], [-sin, cos]]) + centre
    origin = np.floor(corners.min(axis=0)) - 1
    size = (np.ceil(corners.max(axis=0)) - origin + 2).astype(int)
    # Pixel centres: a picture of width w reaches from -0.5 to w - 0.5.
    source = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32) - np.float32(0.5)
    matrix = cv2.getPerspectiveTransform(source, (corners - origin).astype(np.float32))
    rgba: Pixels = cv2.warpPerspective(cut, matrix, (int(size[0]), int(size[1])), flags=cv2.INTER_LINEAR)
    return Layer(int(origin[1]), int(origin[0]), rgba)


def recoloured(layer: Layer, rng: Rng, strength: float = 1.0) -> Layer:
    """Another exposure, contrast, colour cast and, across the object, uneven light."""
    contrast = 1 + strength * rng.uniform(-0.25, 0.15)
    gains = contrast * (1 + strength * rng.uniform(-0.2, 0.15)) * (1 + strength * rng.uniform(-0.07, 0.07, 3))
    matrix = np.zeros((4, 4), np.float32)
    matrix[[0, 1, 2, 3], [0, 1, 2, 3]] = [*gains, 1]
    # Colours are multiplied by alpha, so alpha stands for white in a shift of brightness.
    matrix[:3, 3] = rng.uniform(0.3, 0.6) * (1 - contrast)
    rgba = cv2.transform(layer.rgba, matrix)
    if rng.random() < 0.5 * strength:
        light = rng.uniform(0.7, 1.15, (2, 2)) * 200
        ramp = cv2.resize(light.astype(np.uint8), rgba.shape[1::-1], interpolation=cv2.INTER_LINEAR)
        alpha = np.full_like(ramp, 200)
        rgba = cv2.multiply(rgba, cv2.merge([ramp, ramp, ramp, alpha]), scale=1 / 200)
    return replace(layer, rgba=_within_alpha(rgba, layer.rgba[..., 3]))


def feathered(layer: Layer, sigma: float) -> Layer:
    """Soften the border inwards: outwards there are no colours of the object to show."""
    alpha = np.ascontiguousarray(layer.rgba[..., 3])
    soft = cv2.min(alpha, cv2.GaussianBlur(alpha, (0, 0), sigma))
    share = cv2.divide(soft, cv2.max(alpha, 1), scale=255)
    return replace(layer, rgba=cv2.multiply(layer.rgba, cv2.merge([share] * 4), scale=1 / 255))


def blurred(layer: Layer, sigma: float) -> Layer:
    """Out of focus."""
    pad = int(np.ceil(2 * sigma))
    roomy = cv2.copyMakeBorder(layer.rgba, pad, pad, pad, pad, cv2.BORDER_CONSTANT, value=(0, 0, 0, 0))
    return Layer(layer.top - pad, layer.left - pad, cv2.GaussianBlur(roomy, (0, 0), sigma))


def shade(pixels: Pixels, layer: Layer, shift: tuple[float, float], sigma: float, strength: float) -> None:
    """Darken the picture in place by a soft shadow of a layer, before the layer is pasted.

    Args:
        pixels: (H, W, 3) uint8.
        layer: what casts it.
        shift: (x, y) of the shadow in pixels.
        sigma: softness in pixels.
        strength: 0..1, how dark it is in its middle.
    """
    # A soft shadow has no detail: a quarter of the size does.
    pad = int(np.ceil(2.5 * sigma))
    alpha = cv2.copyMakeBorder(layer.rgba[..., 3], pad, pad, pad, pad, cv2.BORDER_CONSTANT, value=0)
    height, width = alpha.shape
    coarse = cv2.resize(alpha, (max(width // 4, 2), max(height // 4, 2)), interpolation=cv2.INTER_AREA)
    coarse = cv2.GaussianBlur(coarse, (0, 0), max(sigma / 4, 0.3))
    shadow = cv2.resize(cv2.convertScaleAbs(coarse, alpha=strength), (width, height))
    moved = Layer(layer.top - pad + round(shift[1]), layer.left - pad + round(shift[0]), layer.rgba)
    there, here = _overlap(pixels.shape[:2], moved, (height, width))
    if there is not None:
        light = 255 - shadow[here]
        pixels[there] = cv2.multiply(pixels[there], cv2.merge([light] * 3), scale=1 / 255)


def paste(pixels: Pixels, labels: Pixels, layer: Layer, number: int) -> int:
    """Lay a layer over picture and labels in place.

    Returns:
        How many pixels of the picture it covers.
    """
    there, here = _overlap(pixels.shape[:2], layer, layer.rgba.shape[:2])
    if there is None:
        return 0
    rgba = layer.rgba[here]
    alpha = np.ascontiguousarray(rgba[..., 3])
    rest = cv2.multiply(pixels[there], cv2.merge([255 - alpha] * 3), scale=1 / 255)
    pixels[there] = cv2.add(rest, cv2.cvtColor(rgba, cv2.COLOR_RGBA2RGB))
    inside = alpha >= INSIDE
    labels[there][inside] = number
    return int(np.count_nonzero(inside))


def covered(labels: Pixels, layer: Layer) -> tuple[int, int]:
    """(pixels of the layer that lie in the picture, those of them that lie on an object)."""
    there, here = _overlap(labels.shape, layer, layer.rgba.shape[:2])
    if there is None:
        return 0, 0
    inside = layer.rgba[here][..., 3] >= INSIDE
    return int(np.count_nonzero(inside)), int(np.count_nonzero(labels[there][inside]))


def drop_hidden(labels: Pixels, areas: dict[int, int]) -> Pixels:
    """Objects of which less than 15 % is left become 255: what peeks out cannot be told.

    Args:
        labels: (H, W) uint8 after everything is pasted.
        areas: by number, the pixels of the whole object.
    """
    sizes = np.bincount(labels.ravel(), minlength=256)
    table = np.arange(256, dtype=np.uint8)
    for number, area in areas.items():
        if sizes[number] < max(LEAST_VISIBLE * area, LEAST_PIXELS):
            table[number] = IGNORE
    return table[labels]


def _shrunk(cut: Pixels, side: float) -> Pixels:
    """At most the size it will have: a warp alone would skip pixels."""
    height, width = cut.shape[:2]
    scale = side / max(height, width)
    if scale > 0.7:
        return cut
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    small: Pixels = cv2.resize(cut, size, interpolation=cv2.INTER_AREA)
    return small


def _within_alpha(rgba: NDArray[np.uint8], alpha: Pixels) -> Pixels:
    limited: Pixels = cv2.min(rgba, cv2.merge([np.ascontiguousarray(alpha)] * 4))
    limited[..., 3] = alpha
    return limited


Window = tuple[slice, slice]


def _overlap(
    shape: tuple[int, ...], layer: Layer, size: tuple[int, ...]
) -> tuple[Window, Window] | tuple[None, None]:
    """Where a layer of this size lies in the picture, and which part of the layer that is."""
    top, left = max(layer.top, 0), max(layer.left, 0)
    bottom, right = min(layer.top + size[0], shape[0]), min(layer.left + size[1], shape[1])
    if top >= bottom or left >= right:
        return None, None
    here = slice(top - layer.top, bottom - layer.top), slice(left - layer.left, right - layer.left)
    return (slice(top, bottom), slice(left, right)), here
