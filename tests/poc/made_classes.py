"""A small site of three classes that differ in colour, and lists of classes that keep or forget."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.core.reference import Negative, Reference
from kiridashi.core.segments import Segment, Segments

SIZE = (24, 32)
COLOURS = {"red": (220, 40, 40), "green": (40, 220, 40), "blue": (40, 40, 220)}
EACH, GOOD = 14, 4

SITE = """
title: Colours
seed: 1
use_cases:
  - name: colours
    data: {folder: colours, licence: drawn for a test, people: false}
    classes: [green, red, blue]
    methods: [sharp]
    baseline: sharp
    budget: {shots: [1, 2], repeats: 1, test_pictures: 8, robustness_pictures: 0, forgetting_pictures: 6}
    robustness: []
    needed: {iou: 0.5}
"""


class ColourList:
    """Names what is bright after the class of the nearest colour."""

    looked: list[str] = []  # noqa: RUF012 (reset by every site)

    def __init__(self) -> None:
        self.names: list[str] = []
        self.colours: list[np.ndarray[tuple[int], np.dtype[np.float64]]] = []

    def add(self, name: str, references: Sequence[Reference], negatives: Sequence[Negative] = ()) -> None:
        del negatives
        self.names.append(name)
        inside = [one.picture.pixels[one.mask.to_array()].mean(axis=0) for one in references]
        self.colours.append(np.mean(inside, axis=0))

    def answers(self, picture: Picture) -> list[Segments]:
        ColourList.looked.append(picture.name)
        found = picture.pixels.max(axis=2) > 120
        if not found.any():
            return [Segments(picture.size)] * len(self.names)
        colour = picture.pixels[found].mean(axis=0)
        return [
            Segments(picture.size, (Segment(Mask.from_array(found), 1.0, self.called(colour, known)),))
            for known in range(1, len(self.names) + 1)
        ]

    def called(self, colour: np.ndarray[tuple[int], np.dtype[np.float64]], known: int) -> str:
        far = [float(np.abs(colour - one).sum()) for one in self.colours[:known]]
        return self.names[int(np.argmin(far))]


class LastTakesAll(ColourList):
    """Calls everything by the name that it learned last."""

    def called(self, colour: np.ndarray[tuple[int], np.dtype[np.float64]], known: int) -> str:
        del colour
        return self.names[known - 1]


def make_colours(root: Path, text: str = SITE, classes: Sequence[str] = tuple(COLOURS)) -> Path:
    """Draw the pictures and write the site file; gives its path."""
    ColourList.looked = []
    for folder in ("images", "masks"):
        (root / "colours" / folder).mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    names = [f"{label}{number:02}" for label in classes for number in range(EACH)]
    for name in [*names, *(f"good{number:02}" for number in range(GOOD))]:
        # Coarse grain, so that no two pictures look alike.
        pixels = rng.integers(0, 100, (6, 8, 3)).repeat(4, 0).repeat(4, 1).astype(np.uint8)
        mask = np.zeros(SIZE, dtype=np.uint8)
        label = name[:-2]
        if label in COLOURS:
            x, y = rng.integers(2, 20), rng.integers(2, 14)
            pixels[y : y + 8, x : x + 8] = COLOURS[label]
            mask[y : y + 8, x : x + 8] = 1 + list(COLOURS).index(label)
        Image.fromarray(pixels).save(root / "colours" / "images" / f"{name}.png")
        Image.fromarray(mask).save(root / "colours" / "masks" / f"{name}.png")
    meta = {"classes": {str(number): label for number, label in enumerate(COLOURS, 1)}}
    (root / "colours" / "meta.json").write_text(json.dumps(meta))
    path = root / "site.yaml"
    path.write_text(text, encoding="utf-8")
    return path
