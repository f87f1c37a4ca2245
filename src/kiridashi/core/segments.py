"""The one result: masks with labels and scores, and the verdict whether the object is there at all."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import overload

import numpy as np

from kiridashi.core.errors import InputError
from kiridashi.core.mask import Mask


@dataclass(frozen=True)
class Verdict:
    """Whether the object is in the picture.

    Attributes:
        present: the decision.
        score: the evidence for presence, 0..1.
        threshold: the score from which on the object counts as present.
    """

    present: bool
    score: float
    threshold: float


@dataclass(frozen=True)
class Segment:
    """One found object."""

    mask: Mask
    score: float
    label: str


@dataclass(frozen=True, eq=False)
class Segments(Sequence[Segment]):
    """Everything found in one picture, best first.

    Attributes:
        size: (height, width) of the picture.
        items: the found objects; all masks have `size`.
        verdict: presence of the object; None for methods that are not asked (e.g. everything).
        provenance: how the result came about (method, model, refinement ...), for reports.
        doubtful: what may be an object and is not counted as one, each labelled with what it resembles
            most; all masks have `size`.
    """

    size: tuple[int, int]
    items: tuple[Segment, ...] = ()
    verdict: Verdict | None = None
    provenance: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    doubtful: tuple[Segment, ...] = ()

    def __post_init__(self) -> None:
        for segment in (*self.items, *self.doubtful):
            if segment.mask.size != self.size:
                raise InputError(f"a mask of size {segment.mask.size} in a result of size {self.size}")

    def __len__(self) -> int:
        return len(self.items)

    @overload
    def __getitem__(self, index: int) -> Segment: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[Segment, ...]: ...

    def __getitem__(self, index: int | slice) -> Segment | tuple[Segment, ...]:
        return self.items[index]

    def __iter__(self) -> Iterator[Segment]:
        return iter(self.items)

    @property
    def scores(self) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        """(N,) scores in the order of `items`."""
        return np.array([segment.score for segment in self.items], dtype=np.float64)

    def union(self) -> Mask:
        """All objects together as one mask."""
        full = np.zeros(self.size, dtype=bool)
        for segment in self.items:
            full[segment.mask.slices] |= segment.mask.bitmap
        return Mask.from_array(full)
