"""Pictures that show the same thing once more: shown one of them, a method knows the other."""

from collections.abc import Mapping
from dataclasses import dataclass

from kiridashi.core.errors import InputError
from kiridashi.data.files import one_line
from kiridashi.data.sets.likeness import groups, look_at, near_pairs
from kiridashi.evaluate.pictures.sets import PictureSet

Twins = Mapping[str, frozenset[str]]

# More pictures that look alike are not one thing again but a camera that does not move.
MOST_ALIKE = 8


@dataclass(frozen=True)
class Looked:
    """What a look at every picture of a set brought.

    Attributes:
        twins: the other pictures of the group of near duplicates that a picture is in; most are in none.
        unreadable: pictures that cannot be read, and why.
    """

    twins: Twins
    unreadable: Mapping[str, str]


def find_twins(source: PictureSet) -> Twins:
    """The twins alone of `look_through`."""
    return look_through(source).twins


def look_through(source: PictureSet) -> Looked:
    """Read every picture of a set once, with its mask, and find those that look the same.

    Groups of more than `MOST_ALIKE` pictures do not count. A picture that cannot be read has no twins.

    Args:
        source: the pictures.
    """
    holding = {name: label for label in source.classes for name in source.without(label)}
    holding |= {name: label for label, names in source.classes.items() for name in names}
    names, looks = [], []
    unreadable: dict[str, str] = {}
    for name in sorted(holding):
        try:
            looks.append(look_at(source.read(name, holding[name]).picture))
        except InputError as error:
            unreadable[name] = one_line(str(error))
            continue
        names.append(name)
    found = [group for group in groups(len(names), list(near_pairs(looks))) if 1 < len(group) <= MOST_ALIKE]
    twins = {
        names[place]: frozenset(names[other] for other in group if other != place)
        for group in found
        for place in group
    }
    return Looked(twins, unreadable)
