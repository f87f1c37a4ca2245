"""Seeded copies of a picture and its mask: other light, other pose, the mask moved with the picture."""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from kiridashi.core.mask import Bitmap, Mask
from kiridashi.core.picture import Picture, Rgb
from kiridashi.reference.alignment.options import AugmentationOptions

Matrix = NDArray[np.float64]
# A pose must leave this share of the object's area, as scaled, in the picture. After so many poses
# that do not, the copy keeps the reference's own.
LEAST_KEPT = 0.25
TRIES = 10
# Luma of ITU-R BT.601, towards which contrast and saturation fade.
LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)


def augment(
    picture: Picture, mask: Mask, options: AugmentationOptions, rng: np.random.Generator
) -> tuple[Picture, Mask]:
    """One augmented copy of a picture and the mask that goes with it.

    Both are moved by the same affine map. What comes into the frame is the mirrored picture with the
    mirrored mask, so that no copy has black corners and every mask stays true.

    Args:
        picture: of any size, which the copy keeps.
        mask: of the same size, not empty.
        options: the ranges.
        rng: draws everything.
    """
    recoloured = photometric(picture.pixels, options, rng)
    moved, inside = _moved(recoloured, mask.to_array(), options, rng)
    return Picture(moved, picture.name), Mask.from_array(inside)


def photometric(pixels: Rgb, options: AugmentationOptions, rng: np.random.Generator) -> Rgb:
    """(H, W, 3) uint8 RGB with brightness, contrast, saturation and hue changed, in this order."""
    brightness, contrast, saturation = (
        rng.uniform(1 - reach, 1 + reach)
        for reach in (options.brightness, options.contrast, options.saturation)
    )
    turn = rng.uniform(-options.hue, options.hue) * 360
    colours = np.clip(pixels.astype(np.float32) * np.float32(brightness / 255), 0, 1)
    grey = float((colours @ LUMA).mean())
    colours = np.clip(grey + np.float32(contrast) * (colours - grey), 0, 1)
    luma = (colours @ LUMA)[..., None]
    colours = np.clip(luma + np.float32(saturation) * (colours - luma), 0, 1)
    hsv = cv2.cvtColor(colours, cv2.COLOR_RGB2HSV)
    hsv[..., 0] = (hsv[..., 0] + np.float32(turn)) % 360
    colours = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)
    return np.asarray(np.clip(colours * 255 + 0.5, 0, 255), dtype=np.uint8)


def affine_matrix(
    size: tuple[int, int], options: AugmentationOptions, rng: np.random.Generator
) -> tuple[Matrix, float]:
    """A random affine map about the middle of a (height, width) picture, and its factor of scale.

    Returns:
        (2, 3) matrix that takes a place (x, y) to its new one, and the scale.
    """
    height, width = size
    angle = math.radians(rng.uniform(-options.rotation, options.rotation))
    shear = math.tan(math.radians(rng.uniform(-options.shear, options.shear)))
    scale = float(rng.uniform(*options.scale))
    shift = rng.uniform(-options.translation, options.translation, 2) * (width, height)
    turned = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    linear = scale * turned @ np.array([[1.0, shear], [0.0, 1.0]])
    middle = np.array([(width - 1) / 2, (height - 1) / 2])
    offset = middle + shift - linear @ middle
    return np.column_stack([linear, offset]), scale


def warp(pixels: Rgb, inside: Bitmap, matrix: Matrix) -> tuple[Rgb, Bitmap]:
    """A picture (bilinear) and its mask (nearest) moved by one (2, 3) matrix, mirrored at the borders."""
    frame = (pixels.shape[1], pixels.shape[0])
    moved = cv2.warpAffine(pixels, matrix, frame, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    mask = inside.astype(np.uint8)
    mask = cv2.warpAffine(mask, matrix, frame, flags=cv2.INTER_NEAREST, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(moved, dtype=np.uint8), np.asarray(mask, dtype=np.uint8) > 0


def _moved(
    pixels: Rgb, inside: Bitmap, options: AugmentationOptions, rng: np.random.Generator
) -> tuple[Rgb, Bitmap]:
    area = np.count_nonzero(inside)
    for _ in range(TRIES):
        matrix, scale = affine_matrix(inside.shape, options, rng)
        moved, mask = warp(pixels, inside, matrix)
        if not mask.all() and np.count_nonzero(mask) >= max(1.0, LEAST_KEPT * scale**2 * area):
            return moved, mask
    return pixels, inside
