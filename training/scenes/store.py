"""Encoded pictures in memory, decoded when they are asked for."""

from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np

from kiridashi.core.errors import InputError
from training.scenes.scene import Pixels


class Store:
    """The files of one folder by name (without suffix), in order.

    A few thousand encoded pictures are some tens of megabytes; decoded they would be gigabytes.

    Args:
        files: pictures that OpenCV can read.
    """

    def __init__(self, files: Iterable[Path]) -> None:
        self._bytes = {path.stem: path.read_bytes() for path in sorted(files)}
        self.names = tuple(self._bytes)

    def __len__(self) -> int:
        return len(self.names)

    def pixels(self, name: str) -> Pixels:
        """(H, W, 3) uint8, RGB."""
        return self._decode(name, cv2.IMREAD_COLOR_RGB)

    def labels(self, name: str) -> Pixels:
        """(H, W) uint8, the values as stored."""
        return self._decode(name, cv2.IMREAD_GRAYSCALE)

    def cut_out(self, name: str) -> Pixels:
        """(h, w, 4) uint8, RGBA with the colours multiplied by alpha, trimmed to what can be seen."""
        bgra = self._decode(name, cv2.IMREAD_UNCHANGED)
        if bgra.ndim != 3 or bgra.shape[2] != 4:
            raise InputError(f"{name}: a cut-out needs an alpha channel; remove the file or add one")
        return premultiplied(cv2.cvtColor(bgra, cv2.COLOR_BGRA2RGBA))

    def _decode(self, name: str, flags: int) -> Pixels:
        decoded = cv2.imdecode(np.frombuffer(self._bytes[name], np.uint8), flags)
        if decoded is None:
            raise InputError(f"{name}: not a picture that OpenCV can read; fetch the folder again")
        pixels: Pixels = decoded
        return pixels


def premultiplied(rgba: Pixels) -> Pixels:
    """Multiply the colours by alpha and trim: colours hidden by alpha must not bleed when warped."""
    x, y, width, height = cv2.boundingRect((rgba[..., 3] > 8).astype(np.uint8))
    trimmed = np.ascontiguousarray(rgba[y : y + height, x : x + width])
    if not trimmed.size:
        return np.zeros((1, 1, 4), np.uint8)
    alpha = trimmed[..., 3].copy()
    result: Pixels = cv2.multiply(trimmed, cv2.merge([alpha] * 4), scale=1 / 255)
    result[..., 3] = alpha
    return result
