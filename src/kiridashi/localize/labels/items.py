"""Pictures with labels, and what a label file came to."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

Box = tuple[float, float, float, float]

TRAIN, VAL, TEST = "train", "val", "test"


@dataclass(frozen=True)
class LabelledPicture:
    """A picture and what is said to be in it.

    Attributes:
        path: the file.
        labels: names of the classes that are in it; empty: nothing is there (a good part).
        split: `train`, `val` or `test` where the labels say so, else None.
        boxes: (x0, y0, x1, y1) of its objects in pixels, x1 and y1 exclusive, where the labels have any. Not
            for training: for tuning and measuring only.
    """

    path: Path
    labels: frozenset[str]
    split: str | None = None
    boxes: tuple[Box, ...] | None = None

    @property
    def is_normal(self) -> bool:
        """Whether nothing is there."""
        return not self.labels


@dataclass(frozen=True)
class Refused:
    """A label that could not be used.

    Attributes:
        file: picture or place in the label file.
        reason: why, on one line.
    """

    file: str
    reason: str


@dataclass(frozen=True)
class LabelSet:
    """What a source of labels came to.

    Attributes:
        items: pictures that can be used, in the order of the source.
        classes: names that stand for something to find, in alphabetical order.
        refused: what was left out.
        normal_names: labels as written that were taken to mean that nothing is there.
        repeated: rows that said again what an earlier one had said.
    """

    items: tuple[LabelledPicture, ...]
    classes: tuple[str, ...]
    refused: tuple[Refused, ...] = ()
    normal_names: tuple[str, ...] = ()
    repeated: int = field(default=0)

    @cached_property
    def counts(self) -> Mapping[str, int]:
        """How many pictures each class has, in the order of `classes`."""
        found = Counter(label for item in self.items for label in item.labels)
        return {label: found[label] for label in self.classes}

    @property
    def normal(self) -> int:
        """How many pictures have nothing in them."""
        return sum(item.is_normal for item in self.items)

    @property
    def imbalance(self) -> float:
        """How many times more pictures the most frequent class has than the rarest; 1 without classes."""
        counts = self.counts.values()
        return max(counts) / min(counts) if counts else 1.0
