"""Transformations of clips, put to still pictures with their masks moved alongside."""

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np

from kiridashi.core.errors import UsageError
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.evaluate.episodes import Example
from kiridashi.evaluate.pictures.measuring import View
from kiridashi.transforms import Choice, Frame, build
from kiridashi.transforms.donor import DrawnDonor
from kiridashi.transforms.frame import Labels, draws

SCALE = "scale"
# What changes a single picture; the other transformations are about the order of frames.
STILL = (
    "lighting",
    "lighting-gamma",
    "lighting-ramp",
    "lighting-flicker",
    "lighting-temperature",
    "lighting-shadow",
    "sensor",
    "sensor-blur",
    "sensor-resolution",
    "sensor-noise",
    "sensor-jpeg",
    "viewpoint",
    "background",
    SCALE,
)
# A frame at which slow changes are far from their start, which is no change at all.
INDEX = 17
# The camera of the strongest step sees twice as much each way.
FARTHEST = 2.0
OBJECT, IGNORED = 1, 2


def view_name(transform: str, severity: int) -> str:
    """As it stands in the lines."""
    return f"{transform}:{severity}"


def view_parts(name: str) -> tuple[str, int]:
    """What `view_name` was made of."""
    transform, _, severity = name.rpartition(":")
    return transform, int(severity)


def views(transforms: Sequence[str], severities: Sequence[int], seed: int) -> dict[str, View]:
    """Views of a comparison, a transformation in a strength each; equal seeds give equal pictures.

    Raises:
        UsageError: a name is not one of `STILL`.
    """
    unknown = [name for name in transforms if name not in STILL]
    if unknown:
        raise UsageError(
            f"robustness: no transformation named {', '.join(unknown)}; known: {', '.join(STILL)}"
        )
    return {
        view_name(name, severity): _view(name, severity, seed)
        for name in transforms
        for severity in severities
    }


def _view(name: str, severity: int, seed: int) -> View:
    def look(example: Example) -> Example:
        # Of the picture's name: one is darker and another brighter, whichever pictures come before.
        own = int(draws(seed, "still", example.picture.name).integers(2**31))
        frame = _frame(example)
        changed = _farther(frame, severity) if name == SCALE else _built(name, severity, own, frame)
        return _example(example, changed)

    return look


def _built(name: str, severity: int, seed: int, frame: Frame) -> Frame:
    (changed,) = build(Choice(name, severity), seed, DrawnDonor(seed))(frame, INDEX)
    return changed


def _farther(frame: Frame, severity: int) -> Frame:
    """Seen from farther away; what comes into sight mirrors what was there, masks too."""
    factor = 1 + (FARTHEST - 1) * severity / 5
    height, width = frame.size
    matrix = np.array(
        [[1 / factor, 0, (1 - 1 / factor) * width / 2], [0, 1 / factor, (1 - 1 / factor) * height / 2]]
    )

    def warped(pixels: Labels, method: int) -> Labels:
        found: Labels = cv2.warpAffine(
            pixels, matrix, (width, height), flags=method, borderMode=cv2.BORDER_REFLECT_101
        )
        return found

    # Small first: a plain warp would skip pixels.
    soft = cv2.GaussianBlur(frame.pixels, (0, 0), 0.4 * factor)
    return replace(
        frame, pixels=warped(soft, cv2.INTER_LINEAR), labels=warped(frame.labels, cv2.INTER_NEAREST)
    )


def _frame(example: Example) -> Frame:
    labels = np.zeros(example.picture.size, dtype=np.uint8)
    labels[example.ignore.to_array()] = IGNORED
    labels[example.mask.to_array()] = OBJECT
    return Frame(example.picture.pixels, labels, 0)


def _example(example: Example, frame: Frame) -> Example:
    pixels = np.ascontiguousarray(frame.pixels)
    return Example(
        Picture(pixels, example.picture.name),
        Mask.from_array(frame.labels == OBJECT),
        Mask.from_array(frame.labels == IGNORED),
    )
