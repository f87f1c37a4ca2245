"""Pictures with labels, and the truth of those on which it is measured."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from kiridashi.core.mask import Bitmap, Mask
from kiridashi.core.picture import Picture
from kiridashi.evaluate.wsol.boxes import Boxes, component_boxes, scaled

# Boxes of smaller parts of a true mask are specks; of its largest part there always is one.
SPECK = 10


@dataclass(frozen=True)
class Labelled:
    """A picture and what is said of it as a whole: all that training may see.

    Attributes:
        id: unique in its set.
        path: of the picture.
        labels: classes that are in it; none: nothing is there.
    """

    id: str
    path: Path
    labels: tuple[str, ...]


@dataclass(frozen=True)
class Item:
    """A picture of a set.

    Attributes:
        id: unique in its set.
        path: of the picture.
        labels: classes that are in it; none: nothing is there.
        split: which part of the set it belongs to, if the set has parts.
        marked: whether there is a truth to measure it by, which pictures without a label need none of.
    """

    id: str
    path: Path
    labels: tuple[str, ...]
    split: str | None = None
    marked: bool = True

    @property
    def weak(self) -> Labelled:
        """What training may see of it."""
        return Labelled(self.id, self.path, self.labels)


@dataclass(frozen=True, eq=False)
class Truth:
    """Where a class is in a picture.

    Attributes:
        boxes: (N, 4) of its objects, corners inside (see `boxes`), in pixels of the picture.
        mask: of all of them; None: only boxes are known.
        ignore: pixels that count neither as object nor as background; None with `mask`.
    """

    boxes: Boxes
    mask: Mask | None = None
    ignore: Mask | None = None

    @classmethod
    def of_mask(cls, mask: Mask, ignore: Mask, boxes: Boxes | None = None) -> "Truth":
        """The truth of a mask; without boxes of objects, those of its components."""
        return cls(component_boxes(mask.to_array(), SPECK) if boxes is None else boxes, mask, ignore)


@dataclass(frozen=True, eq=False)
class Target:
    """A truth at the size it is measured at.

    Attributes:
        picture: (height, width) of the picture as it is.
        size: (height, width) at which it is measured.
        boxes: (N, 4) at that size.
        mask: (height, width) at that size, or None.
        ignore: likewise.
    """

    picture: tuple[int, int]
    size: tuple[int, int]
    boxes: Boxes
    mask: Bitmap | None
    ignore: Bitmap | None

    @classmethod
    def of(cls, truth: Truth, picture: tuple[int, int], side: int | None) -> "Target":
        """Bring a truth to `side` x `side` pixels, or leave it at the picture's own size.

        Boxes are cut to whole pixels; of masks the nearest pixel counts, its index rounded down.

        Args:
            truth: of the picture.
            picture: (height, width).
            side: pixels each way; None: as the picture is.
        """
        size = picture if side is None else (side, side)
        ignore = truth.ignore or (None if truth.mask is None else Mask.empty(picture))
        mask, void = (None if one is None else nearest(one, size) for one in (truth.mask, ignore))
        return cls(picture, size, scaled(truth.boxes, picture, size), mask, void)


class WsolSet(Protocol):
    """Pictures with labels, read when they are asked for."""

    @property
    def name(self) -> str:
        """What reports call the set."""
        ...

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes."""
        ...

    @property
    def items(self) -> Sequence[Item]:
        """Its pictures."""
        ...

    @property
    def fingerprint(self) -> str:
        """Changes when the set does."""
        ...

    def truth(self, item: Item, label: str, picture: Picture, /) -> Truth:
        """Where a class is in a picture of the set.

        Raises:
            InputError: there is no truth, or it cannot be used.
        """
        ...


ReadTruth = Callable[[Item, str, Picture], Truth]


@dataclass(frozen=True, eq=False)
class PlainSet:
    """A set whose items are listed beforehand.

    Attributes:
        name: what reports call it.
        classes: their names.
        items: its pictures.
        fingerprint: changes when the set does.
        read_truth: where a class is in a picture.
    """

    name: str
    classes: tuple[str, ...]
    items: tuple[Item, ...]
    fingerprint: str
    read_truth: ReadTruth

    def truth(self, item: Item, label: str, picture: Picture, /) -> Truth:
        """Where a class is in a picture of the set.

        Raises:
            InputError: there is no truth, or it cannot be used.
        """
        return self.read_truth(item, label, picture)


def nearest(mask: Mask, size: tuple[int, int]) -> Bitmap:
    """The (height, width) bitmap of a mask at another size, each pixel the nearest one rounded down."""
    full = mask.to_array()
    if mask.size == size:
        return full
    rows, columns = (np.arange(new) * old // new for new, old in zip(size, mask.size, strict=True))
    picked: Bitmap = full[np.ix_(rows, columns)]
    return picked
