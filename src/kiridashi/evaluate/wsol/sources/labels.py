"""A table of labels and boxes, once it is read."""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from kiridashi.core.errors import InputError
from kiridashi.evaluate.wsol.answers import Box
from kiridashi.evaluate.wsol.boxes import Boxes, inclusive
from kiridashi.evaluate.wsol.items import Item, PlainSet, Truth


class Marked(Protocol):
    """A picture with labels, and boxes where it is measured (`localize.labels.LabelledPicture` is one)."""

    @property
    def path(self) -> Path:
        """The picture's file."""
        ...

    @property
    def labels(self) -> Collection[str]:
        """Classes that are in it; none: nothing is there."""
        ...

    @property
    def split(self) -> str | None:
        """Part of the set, if it has parts."""
        ...

    @property
    def boxes(self) -> Sequence[Box] | None:
        """(x0, y0, x1, y1) in pixels, x1 and y1 outside; None: not known."""
        ...


def from_labels(name: str, pictures: Sequence[Marked], classes: Sequence[str]) -> PlainSet:
    """The set of pictures whose labels and boxes are at hand.

    A picture's boxes are those of all its labels: a table does not say of which they are.

    Args:
        name: what reports call it.
        pictures: all of them.
        classes: names, in order.

    Raises:
        InputError: a box that cannot be, or no pictures.
    """
    if not pictures:
        raise InputError(f"{name}: no pictures with labels to learn from")
    ids = _ids([one.path for one in pictures])
    boxes: dict[str, Boxes] = {}
    items = []
    for one, number in zip(pictures, ids, strict=True):
        if one.boxes:
            boxes[number] = inclusive(list(one.boxes))
        items.append(Item(number, one.path, tuple(sorted(one.labels)), one.split, number in boxes))
    facts = [(one.id, one.labels, one.split, boxes.get(one.id, inclusive([])).tolist()) for one in items]
    digest = hashlib.sha256(repr(facts).encode("utf-8", "backslashreplace")).hexdigest()[:16]

    return PlainSet(name, tuple(classes), tuple(items), digest, lambda item, *_: _truth(boxes, item))


def _truth(boxes: Mapping[str, Boxes], item: Item) -> Truth:
    if item.id not in boxes:
        raise InputError(f"{item.id}: the labels give no box to measure it by")
    return Truth(boxes[item.id])


def _ids(paths: Sequence[Path]) -> list[str]:
    """Names of the files; with all of their folders where two have one name."""
    names = [path.name for path in paths]
    if len(set(names)) == len(names):
        return names
    return [path.as_posix() for path in paths]
