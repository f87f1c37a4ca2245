"""Pictures with and without the things that are looked for."""

from collections.abc import Collection, Mapping
from functools import cached_property
from typing import Protocol

import numpy as np

from kiridashi.core.mask import Mask
from kiridashi.evaluate.episodes import ClassPictures, Example

# The name of everything together.
ANY = "any"


class PictureSet(ClassPictures, Protocol):
    """Pictures by class, and those in which a class is not."""

    @property
    def fingerprint(self) -> str:
        """Changes when a file of the set does."""
        ...

    def without(self, label: str) -> tuple[str, ...]:
        """Ids of the pictures in which a class is nowhere, in order."""
        ...


class Together:
    """A set whose classes count as one, "is anything there?". Make it with `together`."""

    def __init__(self, source: PictureSet) -> None:
        self._source = source

    @property
    def name(self) -> str:
        """Of the set."""
        return self._source.name

    @property
    def fingerprint(self) -> str:
        """Of the set."""
        return self._source.fingerprint

    @cached_property
    def classes(self) -> Mapping[str, tuple[str, ...]]:
        """The pictures in which any class is."""
        return {ANY: tuple(sorted({name for names in self._source.classes.values() for name in names}))}

    def without(self, label: str) -> tuple[str, ...]:
        """The pictures in which no class is."""
        del label
        every = [set(self._source.without(one)) for one in self._source.classes]
        return tuple(sorted(set.intersection(*every)))

    def read(self, name: str, label: str) -> Example:
        """A picture with the union of its classes.

        Raises:
            InputError: a file cannot be used.
        """
        del label
        holding = [one for one, names in self._source.classes.items() if name in names]
        examples = [self._source.read(name, one) for one in holding or list(self._source.classes)[:1]]
        inside = np.any([one.mask.to_array() for one in examples], axis=0)
        ignore = np.any([one.ignore.to_array() for one in examples], axis=0)
        return Example(examples[0].picture, Mask.from_array(inside), Mask.from_array(ignore))


def together(source: PictureSet) -> PictureSet:
    """The set with all its classes as one, which is called `any`.

    Open the set with `least=1`: a class that is left out for being rare would pass for nothing.
    """
    return Together(source)


class Without:
    """A set without some of its pictures. Make it with `leave_out`."""

    def __init__(self, source: PictureSet, names: Collection[str]) -> None:
        self._source, self._names = source, frozenset(names)

    @property
    def name(self) -> str:
        """Of the set."""
        return self._source.name

    @property
    def fingerprint(self) -> str:
        """Of the set."""
        return self._source.fingerprint

    @cached_property
    def classes(self) -> Mapping[str, tuple[str, ...]]:
        """As the set's, also where no picture of a class is left."""
        return {label: self._left(names) for label, names in self._source.classes.items()}

    def without(self, label: str) -> tuple[str, ...]:
        """As the set's."""
        return self._left(self._source.without(label))

    def read(self, name: str, label: str) -> Example:
        """As the set reads it.

        Raises:
            InputError: a file cannot be used.
        """
        return self._source.read(name, label)

    def _left(self, names: Collection[str]) -> tuple[str, ...]:
        return tuple(name for name in names if name not in self._names)


def leave_out(source: PictureSet, names: Collection[str]) -> PictureSet:
    """The set without some of its pictures, such as those that cannot be read.

    One of these as a shot would spoil every answer of its draw.
    """
    return Without(source, names) if names else source
