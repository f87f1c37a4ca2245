"""Seeded copies of a picture and its mask: other light, other pose, the mask moved with the picture."""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from kiridashi.core.errors import UsageError
from kiridashi.core.mask import Bitmap, Mask
from kiridashi.core.picture import Picture, Rgb

Matrix = NDArray[np.float64]
# A pose must leave this share of the object's area, as scaled, in the picture. After so many poses
# that do not, the copy keeps the reference's own.
LEAST_KEPT = 0.25
TRIES = 10
# Luma of ITU-R BT.601, towards which contrast and saturation fade.
LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)


@dataclass(frozen=True)
class AugmentationOptions:
    """How far a copy of a reference may differ from it. CAV-SAM does not state its ranges; these are ours.

    Attributes:
        brightness: factor in 1 +- this, likewise `contrast` and `saturation`; 0..1.
        contrast: see brightness.
        saturation: see brightness.
        hue: shift in +- this part of the colour circle, 0..0.5.
        rotation: in +- degrees, 0..180.
        translation: in +- this share of each side, 0..1.
        scale: smallest and largest factor, above 0.
        shear: horizontal, in +- degrees, below 90.
    """

    brightness: float = 0.4
    contrast: float = 0.4
    saturation: float = 0.4
    hue: float = 0.1
    rotation: float = 30.0
    translation: float = 0.1
    scale: tuple[float, float] = (0.7, 1.3)
    shear: float = 10.0

    def __post_init__(self) -> None:
        limits = {"brightness": 1, "contrast": 1, "saturation": 1, "hue": 0.5}
        limits |= {"rotation": 180, "translation": 1, "shear": 89}
        for name, most in limits.items():
            if not 0 <= getattr(self, name) <= most:
                raise UsageError(f"{name} is 0 to {most}, got {getattr(self, name)}")
        low, high = self.scale
        if not 0 < low <= high < math.inf:
            raise UsageError(f"scale is a smallest and a largest factor above 0, got {low} and {high}")


# Of copies that a network learns a few pictures from, whose light and pose vary little.
FEW_PICTURES = AugmentationOptions(
    brightness=0.25,
    contrast=0.25,
    saturation=0.2,
    hue=0.02,
    rotation=20.0,
    translation=0.15,
    scale=(0.75, 1.4),
    shear=5.0,
)


def mirror(
    picture: Picture, mask: Mask, rng: np.random.Generator, *, upside_down: bool
) -> tuple[Picture, Mask]:
    """A picture and its mask, mirrored left to right half of the time, and upside down if that is allowed."""
    pixels, inside = picture.pixels, mask.to_array()
    for axis in (1, 0) if upside_down else (1,):
        if rng.random() < 0.5:
            pixels, inside = np.flip(pixels, axis), np.flip(inside, axis)
    return Picture(np.ascontiguousarray(pixels), picture.name), Mask.from_array(np.ascontiguousarray(inside))


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
