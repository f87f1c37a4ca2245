"""Which pictures are shown to the methods, and which they are measured on."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from kiridashi.core.errors import UsageError
from kiridashi.evaluate.pictures.sets import PictureSet
from kiridashi.evaluate.pictures.twins import Twins

# Fewer measured pictures with the class than this give no figure worth a line.
LEAST_MEASURED = 2
# Streams of random numbers of one seed: pictures with the class and without.
_PRESENT, _ABSENT = 0, 1


@dataclass(frozen=True)
class Draw:
    """What one fit is given, and what it is asked.

    Attributes:
        label: the class.
        shots: number of pictures with the class that are shown.
        seed: that drew them.
        supports: ids of the shots.
        negatives: ids of the pictures without the class that are shown.
        present: ids of the measured pictures with the class.
        absent: of those without.
    """

    label: str
    shots: int
    seed: int
    supports: tuple[str, ...]
    negatives: tuple[str, ...]
    present: tuple[str, ...]
    absent: tuple[str, ...]

    @property
    def targets(self) -> tuple[tuple[str, bool], ...]:
        """Measured pictures, and whether the class is in them."""
        return (*((name, True) for name in self.present), *((name, False) for name in self.absent))


def draw(
    source: PictureSet,
    shots: Sequence[int],
    seeds: Sequence[int],
    *,
    negatives: int = 0,
    most: int | None = None,
    twins: Twins = MappingProxyType({}),
) -> list[Draw]:
    """Every fit of a comparison, in the order of classes, seeds and shots.

    A seed puts the pictures of a class in one random order: the first K are the shots, so that fewer shots
    are part of more, and what comes after the largest number of shots is measured, at every number of
    shots. A class has no draw for a number of shots that leaves it fewer than two pictures to measure. What
    looks the same as a picture that is shown is not measured.

    Args:
        source: the pictures.
        shots: different numbers, each at least 1.
        seeds: different numbers.
        negatives: pictures without the class that are shown with the shots, and not measured.
        most: measure at most so many pictures with the class and so many without, drawn by the seed;
            None: all.
        twins: of each picture those that look the same, see `find_twins`.

    Raises:
        UsageError: shots or seeds are empty, repeated or below their least; or no class has enough pictures.
    """
    _check(shots, seeds, negatives, most)
    drawn: list[Draw] = []
    for label, names in source.classes.items():
        for seed in seeds:
            present = _shuffled(names, seed, label, _PRESENT)
            absent = _shuffled(source.without(label), seed, label, _ABSENT)
            shown = absent[:negatives]
            largest = _largest(present, shots, shown, twins)
            known = {*present[:largest], *shown}
            drawn += [
                Draw(
                    label,
                    k,
                    seed,
                    present[:k],
                    shown,
                    unlike(present[largest:], known, twins)[:most],
                    unlike(absent[negatives:], known, twins)[:most],
                )
                for k in sorted(shots)
                if k <= largest
            ]
    if not drawn:
        largest = max(map(len, source.classes.values()))
        raise UsageError(
            f"{source.name}: the smallest number of shots is {min(shots)} and needs a class with "
            f"{min(shots) + LEAST_MEASURED} pictures, but no class has more than {largest}"
        )
    return drawn


def _largest(present: Sequence[str], shots: Sequence[int], shown: Sequence[str], twins: Twins) -> int:
    """The largest of the numbers of shots that leaves enough pictures to measure; 0: none."""
    for k in sorted(shots, reverse=True):
        if len(unlike(present[k:], {*present[:k], *shown}, twins)) >= LEAST_MEASURED:
            return k
    return 0


def unlike(names: Sequence[str], known: AbstractSet[str], twins: Twins) -> tuple[str, ...]:
    """Those of which no twin is among the known ones."""
    return tuple(name for name in names if known.isdisjoint(twins.get(name, ())))


def left_out(source: PictureSet, shots: Sequence[int]) -> dict[str, tuple[int, ...]]:
    """The numbers of shots for which a class has too few pictures; classes with enough are not named."""
    short = {
        label: tuple(k for k in sorted(shots) if k + LEAST_MEASURED > len(names))
        for label, names in source.classes.items()
    }
    return {label: numbers for label, numbers in short.items() if numbers}


def _shuffled(names: Sequence[str], seed: int, label: str, stream: int) -> tuple[str, ...]:
    # By the name of the class and not its place: another class in the set changes nothing.
    entropy = [seed, stream, *label.encode()]
    order = np.random.default_rng(entropy).permutation(len(names))
    return tuple(names[place] for place in order)


def _check(shots: Sequence[int], seeds: Sequence[int], negatives: int, most: int | None) -> None:
    for what, values, least in (("shots", shots, 1), ("seeds", seeds, 0)):
        if not values or len(set(values)) != len(values) or min(values) < least:
            raise UsageError(f"{what}: expected different numbers from {least} up, got {list(values)}")
    if negatives < 0 or (most is not None and most < LEAST_MEASURED):
        raise UsageError(
            f"negatives must not be below 0 and at least {LEAST_MEASURED} pictures are measured, got "
            f"{negatives} and {most}"
        )
