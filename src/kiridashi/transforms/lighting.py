"""T4: the light changes."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from kiridashi.transforms.frame import MOST, Frame, draws

Light = NDArray[np.float32]
# (pixels in 0..1, index, strength in 0..1, seed) to pixels.
Effect = Callable[[Light, int, float, int], Light]
MOST_GAMMA = 2.5
# Frames from light to dark and back.
SLOW = 40


def gamma(light: Light, _index: int, strength: float, seed: int) -> Light:
    """Mid-tones darker or brighter for the whole clip: an exponent of up to 2.5, or down to 0.4."""
    sign = 1 if draws(seed, "gamma").integers(2) else -1
    return np.power(light, np.float32(MOST_GAMMA ** (sign * strength)))


def ramp(light: Light, index: int, strength: float, _seed: int) -> Light:
    """Light that goes slowly down, by up to 75 %, and up again."""
    depth = 1 - abs(1 - (index % SLOW) / (SLOW / 2))
    return light * np.float32(1 - 0.75 * strength * depth)


def flicker(light: Light, index: int, strength: float, seed: int) -> Light:
    """Every frame is darker by an amount of its own, up to 60 %."""
    return light * np.float32(1 - 0.6 * strength * draws(seed, "flicker", index).random())


def temperature(light: Light, _index: int, strength: float, seed: int) -> Light:
    """Warmer or colder for the whole clip: red and blue apart by up to 40 % each way."""
    sign = 1 if draws(seed, "temperature").integers(2) else -1
    change = sign * 0.4 * strength
    return np.minimum(light * np.array([1 + change, 1, 1 - change], dtype=np.float32), 1)


def shadow(light: Light, index: int, strength: float, seed: int) -> Light:
    """A soft shadow that wanders across and takes up to 80 % of the light."""
    rng = draws(seed, "shadow")
    angle, phase = rng.random(2) * 2 * np.pi
    rows, columns = np.linspace(-1, 1, light.shape[0]), np.linspace(-1, 1, light.shape[1])
    across = rows[:, None] * np.sin(angle) + columns[None] * np.cos(angle)
    edge = np.sin(phase + 2 * np.pi * index / SLOW)
    shade = 1 / (1 + np.exp(-(across - edge) * 6))
    darker: Light = light * (1 - 0.8 * strength * shade[..., None]).astype(np.float32)
    return darker


EFFECTS: dict[str, Effect] = {
    "gamma": gamma,
    "ramp": ramp,
    "flicker": flicker,
    "temperature": temperature,
    "shadow": shadow,
}
# Each by itself goes further than all of them together.
TOGETHER = 0.5


class Lighting:
    """One effect of light, or all of them at half their strength.

    Args:
        severity: 1..5.
        seed: of directions, phases and flicker.
        effect: a name of `EFFECTS`; None: all.
    """

    def __init__(self, severity: int, seed: int, effect: str | None = None) -> None:
        self._strength = severity / MOST * (1 if effect else TOGETHER)
        self._effects = [EFFECTS[effect]] if effect else list(EFFECTS.values())
        self._seed = seed

    def __call__(self, frame: Frame, index: int, /) -> Sequence[Frame]:
        """The frame in another light; its labels stay."""
        light: Light = frame.pixels.astype(np.float32) / np.float32(255)
        for effect in self._effects:
            light = effect(light, index, self._strength, self._seed)
        return (replace(frame, pixels=np.rint(light * 255).astype(np.uint8)),)
