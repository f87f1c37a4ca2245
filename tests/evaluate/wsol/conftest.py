"""Sets of tiny pictures, and methods that know where things are."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.data.atomic import write_json
from kiridashi.evaluate.wsol.answers import Lesson, Localises, WsolAnswer
from kiridashi.evaluate.wsol.lines import Key, Line

SIZE = (20, 30)
LABELS = ("cat", "dog")


def square(place: int) -> NDArray[np.bool_]:
    """An object of 8 x 8 pixels, further right with its number."""
    inside = np.zeros(SIZE, dtype=bool)
    inside[6:14, 2 + place : 10 + place] = True
    return inside


def write_picture(folder: Path, name: str, place: int | None, value: int = 1) -> None:
    """A bright square on grey, with its mask."""
    inside = np.zeros(SIZE, dtype=bool) if place is None else square(place)
    pixels = np.full((*SIZE, 3), 40, dtype=np.uint8)
    pixels[inside] = (220, 200, 60)
    for part, values in (("images", pixels), ("masks", inside.astype(np.uint8) * np.uint8(value))):
        (folder / part).mkdir(parents=True, exist_ok=True)
        Image.fromarray(values).save(folder / part / f"{name}.png")


@pytest.fixture
def animals(tmp_path: Path) -> Path:
    """A folder of 10 train, 4 val and 4 test pictures of two classes, with boxes and masks."""
    folder = tmp_path / "animals"
    items = []
    for split, count in (("train", 10), ("val", 4), ("test", 4)):
        for number in range(count):
            name = f"{split}{number}"
            write_picture(folder, name, number)
            box = [2 + number, 6, 9 + number, 13]
            items.append({"id": name, "label": LABELS[number % 2], "split": split, "bboxes_xyxy": [box]})
    write_json(folder / "meta.json", {"classes": {"1": "animal"}, "items": items})
    return folder


@pytest.fixture
def tiles(tmp_path: Path) -> Path:
    """A folder without splits: six pictures of crack (mask value 1), four of stain (2), two of nothing."""
    folder = tmp_path / "tiles"
    items: list[dict[str, Any]] = []
    for number in range(12):
        value = 1 if number < 6 else 2 if number < 10 else 0
        write_picture(folder, f"t{number}", number if value else None, value)
        items.append({"id": f"t{number}", "classes": [value] if value else []})
    write_json(folder / "meta.json", {"classes": {"0": "none", "1": "crack", "2": "stain"}, "items": items})
    return folder


@dataclass
class Bright:
    """Finds what is bright.

    Attributes:
        blur: of the map: the value around the object, so that a low threshold takes everything.
        wrong: it takes each class for the other.
        refuses: name of a picture that it fails on.
    """

    blur: float = 0.0
    wrong: bool = False
    refuses: str = ""
    asked: list[tuple[str, int]] = field(default_factory=list)

    def answer(self, picture: Picture, given: int, /) -> WsolAnswer:
        self.asked.append((picture.name, given))
        if self.refuses and picture.name.startswith(self.refuses):
            raise RuntimeError("nobody expected this")
        inside = picture.pixels[..., 0] > 128
        values = np.where(inside, 1, self.blur).astype(np.float32)
        values[0, 0] = 0
        scores = np.full(2, 0.1 * inside.any(), np.float32)
        scores[1 - given if self.wrong else given] = 0.9 if inside.any() else 0.2
        return WsolAnswer(scores, values)


class Decides:
    """Gives the object's mask and box, or the picture's left half as a fallback."""

    def answer(self, picture: Picture, given: int, /) -> WsolAnswer:
        bright = picture.pixels[..., 0] > 128
        keep = bool(bright[:, 4].any())
        half = np.zeros_like(bright)
        half[:, : half.shape[1] // 2] = True
        finer, coarse = Mask.from_array(bright), Mask.from_array(half)
        taken, other = (coarse, finer) if keep else (finer, coarse)
        scores = np.eye(2, dtype=np.float32)[given]
        return WsolAnswer(scores, bright.astype(np.float32), (taken.box,), taken, keep, other.box, "by eye")


@dataclass
class Lessons:
    """A teacher that notes what it was given."""

    methods: Mapping[str, Localises]
    seen: list[Lesson] = field(default_factory=list)

    def __call__(self, lesson: Lesson) -> Mapping[str, Localises]:
        self.seen.append(lesson)
        return self.methods


class Lines:
    """A store in memory."""

    def __init__(self) -> None:
        self.lines: dict[Key, Line] = {}

    def get(self, key: Key) -> Line | None:
        return self.lines.get(key)

    def append(self, line: Line) -> None:
        self.lines[line.key] = line


@pytest.fixture
def bright() -> type[Bright]:
    """The class `Bright`."""
    return Bright


@pytest.fixture
def decides() -> Decides:
    return Decides()


@pytest.fixture
def lessons() -> type[Lessons]:
    """The class `Lessons`."""
    return Lessons


@pytest.fixture
def store() -> Lines:
    return Lines()
