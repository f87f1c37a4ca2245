"""Smooth movements over the frames of a clip, all of them starting at rest where they are."""

from collections.abc import Sequence
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

Rng = np.random.Generator
Values = NDArray[np.float64]

# Share of clips whose picture is squeezed as a 16:9 video is by the network's square.
SQUEEZED_SHARE = 0.6
WIDEST = 1.78


def smooth(frames: int, drift: float, sway: float, rng: Rng) -> Values:
    """(T,) values that start at 0: a steady drift and a slow swing.

    Args:
        frames: T.
        drift: standard deviation of the change from frame to frame.
        sway: standard deviation of the swing.
        rng: draws both.
    """
    time = np.arange(frames)
    phase, pace = rng.uniform(0, 2 * np.pi), rng.uniform(0.3, 1.1)
    swing = np.sin(phase + pace * time) - np.sin(phase)
    values: Values = rng.normal(0, drift) * time + rng.normal(0, sway) * swing
    return values


def wander(frames: int, speed: float, rng: Rng) -> Values:
    """(T, 2) offsets in pixels from where it began: mostly straight on, `speed` pixels a frame."""
    heading = rng.uniform(0, 2 * np.pi)
    straight = speed * np.array([np.cos(heading), np.sin(heading)]) * np.arange(frames)[:, None]
    return straight + np.stack([smooth(frames, 0, 0.6 * speed, rng) for _ in range(2)], axis=1)


def excursion(frames: int, reach: float, rng: Rng) -> Values:
    """(T, 2) offsets in pixels: away by `reach`, and back if the clip is long enough."""
    start = rng.integers(0, max(frames - 2, 1))
    length = rng.integers(2, max(frames, 3))
    gone = np.sin(np.pi * np.clip((np.arange(frames) - start) / length, 0, 1)) ** 0.7
    heading = rng.uniform(0, 2 * np.pi)
    offsets: Values = reach * gone[:, None] * np.array([np.cos(heading), np.sin(heading)])
    return offsets


def camera(frames: int, side: int, middle: Values, zoom: float, calm: bool, rng: Rng) -> Values:
    """(T, 3, 3) matrices from a still world to a moving window.

    Args:
        frames: T.
        side: of the window in pixels.
        middle: (2,) x, y of the world that the first window is centred on.
        zoom: window pixels to a world pixel in the first frame.
        calm: whether the camera nearly stands still.
        rng: draws pan, zoom, rotation and how a wide picture is squeezed.
    """
    strength = 0.15 if calm else 1.0
    pan = wander(frames, strength * np.exp(rng.normal(np.log(0.02), 0.8)) * side / zoom, rng)
    scale = zoom * np.exp(smooth(frames, 0.02 * strength, 0.04 * strength, rng))
    angle = rng.normal(0, 0.1) + smooth(frames, 0.02 * strength, 0.04 * strength, rng)
    squeeze = np.sqrt(rng.uniform(1, WIDEST) if rng.random() < SQUEEZED_SHARE else np.exp(rng.normal(0, 0.1)))
    squeezed = np.diag([1 / squeeze, squeeze, 1.0])
    return np.stack(
        [
            chain(
                shifted(-(middle + pan[t])), turned(angle[t]), scaled(scale[t]), squeezed, shifted(side / 2)
            )
            for t in range(frames)
        ]
    )


def chain(*steps: Values) -> Values:
    """The matrix that does one step after the other."""
    return reduce(lambda done, step: step @ done, steps)


def shifted(by: Values | float) -> Values:
    """(3, 3) translation by (2,) x, y, or by the same on both axes."""
    matrix = np.eye(3)
    matrix[:2, 2] = by
    return matrix


def scaled(by: float | Sequence[float]) -> Values:
    """(3, 3) scaling by a number or by (x, y)."""
    return np.diag([*np.broadcast_to(np.asarray(by, float), 2), 1.0])


def turned(angle: float) -> Values:
    """(3, 3) rotation by radians."""
    cos, sin = np.cos(angle), np.sin(angle)
    return np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1.0]])


def sheared(by: float) -> Values:
    """(3, 3) horizontal shear."""
    return np.array([[1, by, 0], [0, 1, 0], [0, 0, 1.0]])


def applied(matrix: NDArray[np.floating[Any]], point: NDArray[np.floating[Any]]) -> Values:
    """(2,) a point through a (3, 3) matrix."""
    moved: Values = np.asarray(matrix[:2, :2] @ point + matrix[:2, 2], dtype=np.float64)
    return moved
