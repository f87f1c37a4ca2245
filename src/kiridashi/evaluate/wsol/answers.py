"""What is asked of a method under test, and what it answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from kiridashi.core.errors import UsageError
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.evaluate.metrics.levels import FloatMap
from kiridashi.evaluate.wsol.items import Labelled

# (x0, y0, x1, y1) in pixels of the picture, x1 and y1 outside, as `Mask.box`.
Box = tuple[float, float, float, float]


@dataclass(frozen=True, eq=False)
class WsolAnswer:
    """What a method makes of one picture.

    A method that only has a map leaves boxes and mask out: they are then made from the map, with thresholds
    chosen on the tuning pictures. One that decides by itself gives them; its map still says how sure it is of
    each pixel, for the measures that go over all thresholds.

    Attributes:
        scores: (C,) float32, of each class, the higher the surer; None: it knows no classes.
        map: (h, w) float32 in 0..1, where the object is; it lies on the whole picture. None: it has none.
        boxes: the answer first, then what else was found; empty: from the mask, or from the map.
        mask: final, at the picture's size; None: from the map.
        fallback: whether the coarse result was kept in place of a finer one; None: there is no such choice.
        alternative: box of what was not chosen: the finer mask that was turned down, or the coarse box when
            the finer mask was taken. None: there was nothing else.
        note: why, in a few words.

    Raises:
        UsageError: shapes that cannot be, a map outside 0..1, or nothing to make a box from.
    """

    scores: FloatMap | None
    map: FloatMap | None
    boxes: Sequence[Box] = ()
    mask: Mask | None = None
    fallback: bool | None = None
    alternative: Box | None = None
    note: str = ""

    def __post_init__(self) -> None:
        if self.map is None and not self.boxes and self.mask is None:
            raise UsageError("an answer has a map, a box or a mask; this one has none of them")
        if self.scores is not None and (self.scores.ndim != 1 or not np.isfinite(self.scores).all()):
            raise UsageError(f"scores are (C,) finite numbers, got shape {self.scores.shape}")
        values = self.map
        if values is not None and (
            values.ndim != 2
            or values.size == 0
            or not np.isfinite(values).all()
            or values.min() < 0
            or values.max() > 1
        ):
            raise UsageError(f"a map is (h, w) numbers in 0..1, got shape {values.shape}")


class Localises(Protocol):
    """A method that has learned what it needs."""

    def answer(self, picture: Picture, given: int, /) -> WsolAnswer:
        """Where the object of a picture is.

        Args:
            picture: the picture.
            given: index of the class that is there, which "GT-known" means; methods whose map is the same for
                all classes have no use for it. It must not touch the scores.
        """
        ...


@dataclass(frozen=True, eq=False)
class Lesson:
    """What methods learn from in one trial.

    Attributes:
        pictures: with labels of whole pictures, nothing else.
        classes: names, in the order of the scores that answers give.
        seed: of everything that draws numbers.
        folder: for what is learned; made by who needs it. A run that is taken up again finds there what it
            left.
    """

    pictures: tuple[Labelled, ...]
    classes: tuple[str, ...]
    seed: int
    folder: Path


class Teaches(Protocol):
    """Fits one network, from which all methods that need one answer."""

    def __call__(self, lesson: Lesson) -> Mapping[str, Localises]:
        """The fitted methods by name."""
        ...
