"""Read picture files to 8-bit RGB, and write pictures."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kiridashi.core.picture import Picture, Rgb
from kiridashi.data.atomic import atomic_path
from kiridashi.data.files import unusable
from kiridashi.data.raster import MAX_PIXELS, Raster, load_raster

Bytes = NDArray[np.uint8]
_SENSOR_BITS = (8, 10, 12, 14, 16)


def read_picture(path: str | Path, max_pixels: int = MAX_PIXELS) -> Picture:
    """Read the first picture of a JPEG, PNG, WebP, BMP, TIFF, GIF or PNM file as 8-bit RGB.

    - The EXIF orientation is applied.
    - Grey becomes three equal channels. Integers of more than 8 bits are scaled linearly from the
      smallest of 8, 10, 12, 14 and 16 bits that holds the largest value, so a 12-bit camera's files
      do not come out dark; integers beyond that, or below zero, are scaled from minimum to maximum.
    - Floats inside 0..1 are multiplied by 255, others are scaled from minimum to maximum; NaN counts
      as the minimum.
    - Transparent pixels are laid on white, as a viewer shows them; an alpha channel that is zero
      everywhere is taken for unused and dropped.
    - CMYK is converted by the plain formula, without colour profiles.

    Args:
        path: the file.
        max_pixels: limit, checked in the header before decoding.

    Raises:
        InputError: the file cannot be used; the text names it and the reason on one line.
    """
    path = Path(path)
    raster = load_raster(path, max_pixels)
    if raster.samples.dtype.kind == "f" and not np.isfinite(raster.samples).any():
        raise unusable(path, "no pixel has a finite value")
    return Picture(_to_rgb(raster), path.name, path)


def write_picture(path: str | Path, pixels: Rgb, quality: int = 92) -> None:
    """Write (H, W, 3) uint8 pixels atomically, in the format of the suffix.

    Args:
        path: the file; its suffix says the format.
        pixels: (H, W, 3) uint8.
        quality: 1..100, for JPEG and WebP.
    """
    from PIL import Image

    with atomic_path(path) as temporary:
        Image.fromarray(pixels).save(temporary, quality=quality)


def _to_rgb(raster: Raster) -> Rgb:
    samples = raster.samples if raster.palette is None else raster.palette[raster.samples]
    if samples.ndim == 2:
        return _as_rgb(to_bytes(samples))
    if samples.shape[2] == 3:
        return to_bytes(samples)
    colour, alpha = to_bytes(samples[..., :-1]), to_bytes(samples[..., -1])
    return _on_white(_as_rgb(colour), alpha) if alpha.any() else _as_rgb(colour)


def _as_rgb(grey: Bytes) -> Rgb:
    if grey.ndim == 2:
        grey = grey[..., None]
    return np.repeat(grey, 3, axis=2) if grey.shape[2] == 1 else grey


def _on_white(colour: Rgb, alpha: Bytes) -> Rgb:
    if (alpha == 255).all():
        return colour
    weight = alpha[..., None].astype(np.uint16)
    blended = (colour * weight + 255 * (255 - weight) + 127) // 255
    return blended.astype(np.uint8)


def to_bytes(samples: NDArray[Any]) -> Bytes:
    """Scale samples of any type to uint8 by the rules of `read_picture`."""
    if samples.dtype == np.uint8:
        return samples
    if samples.dtype == np.bool_:
        return samples.astype(np.uint8) * np.uint8(255)
    if samples.dtype.kind == "f":
        return _floats_to_bytes(samples)
    low, high = int(samples.min()), int(samples.max())
    if low < 0 or high >= 2 ** _SENSOR_BITS[-1]:
        return _stretch(samples.astype(np.float64), low, high)
    bits = next(bits for bits in _SENSOR_BITS if high < 2**bits)
    return _stretch(samples.astype(np.float32), 0, 2**bits - 1)


def _floats_to_bytes(samples: NDArray[Any]) -> Bytes:
    finite = samples[np.isfinite(samples)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    if low >= 0 and high <= 1:
        low, high = 0.0, 1.0
    # Double precision: the range of single-precision extremes overflows single precision.
    filled = np.nan_to_num(samples.astype(np.float64), nan=low, posinf=high, neginf=low)
    return _stretch(filled, low, high)


def _stretch(values: NDArray[np.floating], low: float, high: float) -> Bytes:
    """Map [low, high] to [0, 255], rounded to the nearest."""
    span = (high - low) or 1
    scaled: Bytes = np.rint((values - low) * (255 / span)).astype(np.uint8)
    return scaled
