"""A small site: dark pictures, some with a bright or a green disc, at places that vary."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from kiridashi.localize.gtformer.options import GTFormerOptions
from kiridashi.localize.training.options import TrainingOptions

COLOURS = {"bright": (240, 240, 240), "green": (40, 230, 40)}
SIDE = 64
SMALL = GTFormerOptions(
    strides=(16, 32), grid=4, width=16, depth=2, global_aware=1, heads=2, drop_path=0.1, temperature=1.0
)
FAST = TrainingOptions(
    network=SMALL,
    epochs=4,
    least_steps=1,
    least_epochs=2,
    area=0.3,
    batch=8,
    patience=4,
    learning_rate=5e-3,
    plain_rate=1e-2,
)


@dataclass(frozen=True)
class Item:
    path: Path
    labels: frozenset[str]


class Killed(Exception):  # noqa: N818  # as a signal does
    """What a test stops a run with."""


class Killing:
    """Progress that ends the run at a moment."""

    def __init__(self, what: str, done: int) -> None:
        self.what, self.done = what, done

    def __call__(self, what: str, done: int, total: int) -> None:
        if (what, done) == (self.what, self.done):
            raise Killed


def disc(number: int) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
    """(SIDE, SIDE) where the disc of a picture is."""
    rng = np.random.default_rng(number)
    row, column = rng.uniform(16, SIDE - 16, 2)
    rows, columns = np.ogrid[:SIDE, :SIDE]
    inside: np.ndarray[tuple[int, int], np.dtype[np.bool_]] = (rows - row) ** 2 + (
        columns - column
    ) ** 2 < 144
    return inside


def draw(folder: Path, number: int, labels: Sequence[str]) -> Item:
    """One picture; with two labels, the second disc is that of another number."""
    pixels = np.random.default_rng([number, 1]).integers(0, 50, (SIDE, SIDE, 3)).astype(np.uint8)
    for place, label in enumerate(sorted(labels)):
        pixels[disc(number + 1000 * place)] = COLOURS[label]
    path = folder / f"{number:03d}.png"
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return Item(path, frozenset(labels))


def single(folder: Path, count: int = 12) -> list[Item]:
    """Every second picture bright, the others green."""
    return [draw(folder, number, [sorted(COLOURS)[number % 2]]) for number in range(count)]


def with_normal(folder: Path, count: int = 12) -> list[Item]:
    """Every second picture with a bright disc, the others with nothing."""
    return [draw(folder, number, ["bright"] if number % 2 else []) for number in range(count)]
