"""Pictures of discs in memory, and methods whose answers are known."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np

from kiridashi.core.errors import InputError
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.core.reference import Negative, Reference
from kiridashi.core.segments import Segment, Segments, Verdict
from kiridashi.evaluate.episodes import Example

SIZE = (32, 32)
RED, BLUE = (210, 40, 40), (40, 60, 210)


class Discs:
    """`red0` ... `red7` hold a red disc, `blue0` ... `blue4` a blue one, `bare0` ... `bare3` nothing."""

    name = "discs"
    fingerprint = "of discs"
    classes: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "red": tuple(f"red{n}" for n in range(8)),
        "blue": tuple(f"blue{n}" for n in range(5)),
    }
    bare: ClassVar[tuple[str, ...]] = tuple(f"bare{n}" for n in range(4))
    torn: frozenset[str] = frozenset()

    def without(self, label: str) -> tuple[str, ...]:
        others = [name for other, names in self.classes.items() if other != label for name in names]
        return tuple(sorted([*others, *self.bare]))

    def read(self, name: str, label: str) -> Example:
        if name in self.torn:
            raise InputError(f"{name}.png: this is no picture")
        kind, number = name.rstrip("0123456789"), int(name[-1])
        rows, columns = np.ogrid[: SIZE[0], : SIZE[1]]
        disc = (rows - 10 - number) ** 2 + (columns - 16) ** 2 <= 36
        pixels = np.full((*SIZE, 3), 120, dtype=np.uint8)
        if kind != "bare":
            pixels[disc] = RED if kind == "red" else BLUE
        inside = disc if kind == label else np.zeros(SIZE, dtype=bool)
        return Example(Picture(pixels, name), Mask.from_array(inside), Mask.empty(SIZE))


class ByColour:
    """Finds pixels of the references' mean colour; says "there" from 20 pixels on."""

    fits: ClassVar[list[tuple[str, ...]]] = []

    def __init__(self, seed: int = 0, shrink: int = 0) -> None:
        self.seed, self.shrink = seed, shrink

    def fit(self, references: Sequence[Reference], negatives: Sequence[Negative] = ()) -> Self:
        pictures = [*(one.picture for one in references), *(one.picture for one in negatives)]
        ByColour.fits.append(tuple(picture.name for picture in pictures))
        self.colour_ = np.mean(
            [one.picture.pixels[one.mask.to_array()].mean(axis=0) for one in references], axis=0
        )
        return self

    def predict(self, picture: Picture) -> Segments:
        near = np.abs(picture.pixels - self.colour_).max(axis=2) < 30
        near[: self.shrink] = False
        score = min(1.0, float(near.mean()))
        mask = Mask.from_array(near)
        items = () if mask.is_empty else (Segment(mask, 0.9, "object"),)
        return Segments(
            picture.size, items, Verdict(mask.area >= 20, score, 20 / near.size), {"by": "colour"}
        )


class Everything:
    """Calls every pixel of every picture the object, and gives no verdict."""

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    def fit(self, references: Sequence[Reference], negatives: Sequence[Negative] = ()) -> Any:
        return self

    def predict(self, picture: Picture) -> Segments:
        return Segments(picture.size, (Segment(Mask.from_array(np.ones(picture.size)), 0.5, "object"),))
