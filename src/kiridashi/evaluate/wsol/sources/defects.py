"""All classes as one: is anything there, and where?"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from kiridashi.core.errors import UsageError
from kiridashi.core.picture import Picture
from kiridashi.evaluate.wsol.items import Item, Truth, WsolSet

DEFECT = "defect"


@dataclass(frozen=True, eq=False)
class _Merged:
    """A set whose pictures have the label `DEFECT`, or none."""

    source: WsolSet

    @property
    def name(self) -> str:
        return self.source.name

    @property
    def classes(self) -> tuple[str, ...]:
        return (DEFECT,)

    @cached_property
    def items(self) -> tuple[Item, ...]:
        return tuple(replace(item, labels=(DEFECT,) if item.labels else ()) for item in self.source.items)

    @property
    def fingerprint(self) -> str:
        return self.source.fingerprint

    @cached_property
    def _labels(self) -> dict[str, tuple[str, ...]]:
        return {item.id: item.labels for item in self.source.items}

    def truth(self, item: Item, _: str, picture: Picture, /) -> Truth:
        labels = self._labels[item.id]
        own = replace(item, labels=labels)
        truths = [self.source.truth(own, one, picture) for one in labels]
        first, *others = truths
        for other in others:
            mask = None if first.mask is None or other.mask is None else first.mask | other.mask
            first = Truth(np.concatenate([first.boxes, other.boxes]), mask, first.ignore)
        return first


def as_defects(source: WsolSet) -> WsolSet:
    """The set with "defect" for every class, so that labels say defect or no defect.

    Raises:
        UsageError: every picture has a class, or none has, so that such labels say nothing.
    """
    with_label = sum(bool(item.labels) for item in source.items)
    if with_label in (0, len(source.items)):
        which = "every picture has a class" if with_label else "no picture has a class"
        raise UsageError(
            f"{source.name}: {which}, so defect or no defect tells nothing apart; use its own classes "
            "(--labels own)"
        )
    return _Merged(source)
