"""One annotated set of pictures in memory, whatever format it came in."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kiridashi.core.mask import Mask

Points = NDArray[np.float64]
Value = str | int | float | bool


@dataclass(frozen=True, eq=False)
class Polygons:
    """An object as closed outlines, joined; within one outline what is enclosed twice is outside.

    Attributes:
        parts: each (N, 2) float64 of x, y in pixels; the picture's first pixel reaches from 0 to 1.
    """

    parts: tuple[Points, ...]


@dataclass(frozen=True)
class Box:
    """An object of which only a box is known: x, y of two corners in pixels, continuous."""

    x0: float
    y0: float
    x1: float
    y1: float


Shape = Polygons | Mask | Box


@dataclass(frozen=True, eq=False)
class Annotation:
    """One object in a picture.

    Attributes:
        label: id of its class in the set.
        shape: outlines, a bitmap, or a box only.
        id: that the file gives it; None where the format has none.
        score: 0..1 of a prediction; None for what a person drew.
        crowd: a region of many objects that are not told apart.
        box: that the file states beside the shape, as corners; not checked against it.
        attributes: what else the file says of the object.
    """

    label: int
    shape: Shape
    id: int | str | None = None
    score: float | None = None
    crowd: bool = False
    box: Box | None = None
    attributes: Mapping[str, Value] = field(default_factory=dict)

    def mask(self, size: tuple[int, int]) -> Mask:
        """The pixels of a (height, width) picture that it covers; a box counts as filled.

        Raises:
            InputError: the outlines are absurdly long, or the bitmap is of another size.
        """
        from kiridashi.data.formats.shapes import mask_of

        return mask_of(self.shape, size)


@dataclass(frozen=True)
class Problem:
    """Something wrong with a set.

    Attributes:
        kind: one of `kiridashi.data.sets.KINDS`.
        picture: its name; None for the set as a whole.
        text: what was expected and what came, one line.
        annotation: its id, or its place in the picture counted from 1.
        others: names of more pictures that it concerns.
    """

    kind: str
    picture: str | None
    text: str
    annotation: str | None = None
    others: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class AnnotatedPicture:
    """A picture and what is marked in it.

    Attributes:
        name: path below the folder of the pictures, with `/`; never absolute, never with `..`.
        size: (height, width) as the annotations state it, else as the picture's header does.
        annotations: the objects that could be read.
        path: the file; None when it is not there.
        id: that the file gives the picture; None where the format has none.
        split: `train`, `val`, `test` or another name; None when the set has no splits.
        tags: of the whole picture, as light: dim.
        ignore: pixels that count neither way.
        problems: what the files say of this picture that cannot be used.
    """

    name: str
    size: tuple[int, int]
    annotations: tuple[Annotation, ...] = ()
    path: Path | None = None
    id: int | str | None = None
    split: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    ignore: Mask | None = None
    problems: tuple[Problem, ...] = ()

    def labels(self) -> tuple[int, ...]:
        """Ids of the classes marked in it, each once, in order."""
        return tuple(sorted({one.label for one in self.annotations}))

    def label_mask(self, label: int) -> Mask:
        """All pixels of a class.

        Raises:
            InputError: see `Annotation.mask`.
        """
        full = np.zeros(self.size, dtype=bool)
        for one in self.annotations:
            if one.label == label:
                mask = one.mask(self.size)
                full[mask.slices] |= mask.bitmap
        return Mask.from_array(full)


@dataclass(frozen=True, eq=False)
class AnnotatedSet:
    """Pictures with annotations, read one by one: `for picture in annotated_set`, as often as wished.

    Attributes:
        name: of its file or folder.
        format: that it was read from; a key of `FORMATS`.
        classes: name of each class by its id, in the format's order.
        read: begins a new pass over the pictures.
        problems: with the set as a whole.
    """

    name: str
    format: str
    classes: Mapping[int, str]
    read: Callable[[], Iterator[AnnotatedPicture]]
    problems: tuple[Problem, ...] = ()

    def __iter__(self) -> Iterator[AnnotatedPicture]:
        return self.read()

    def load(self) -> "AnnotatedSet":
        """The same with all pictures' annotations (not their pixels) in memory."""
        pictures = tuple(self)
        return replace(self, read=lambda: iter(pictures))

    def mapped(self, change: Callable[[AnnotatedPicture], AnnotatedPicture | None]) -> "AnnotatedSet":
        """The set with every picture changed as it is read; None leaves a picture out."""

        def read() -> Iterator[AnnotatedPicture]:
            return (changed for one in self.read() if (changed := change(one)) is not None)

        return replace(self, read=read)

    @cached_property
    def by_name(self) -> Mapping[str, int]:
        """Id of each class by its name; of two of one name the first."""
        return {name: label for label, name in reversed(tuple(self.classes.items()))}
