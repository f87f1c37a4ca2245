"""Pictures that show the same thing once more: shown one of them, a method knows the other."""

from collections.abc import Mapping

from kiridashi.core.errors import InputError
from kiridashi.data.sets.likeness import groups, look_at, near_pairs
from kiridashi.evaluate.pictures.sets import PictureSet

Twins = Mapping[str, frozenset[str]]

# More pictures that look alike are not one thing again but a camera that does not move.
MOST_ALIKE = 8


def find_twins(source: PictureSet) -> Twins:
    """The other pictures of the group of near duplicates that a picture is in; most pictures are in none.

    Every picture of the set is read once. One that cannot be read has no twins; it is named where it is used.
    Groups of more than `MOST_ALIKE` pictures do not count.

    Args:
        source: the pictures.
    """
    holding = {name: label for label in source.classes for name in source.without(label)}
    holding |= {name: label for label, names in source.classes.items() for name in names}
    names, looks = [], []
    for name in sorted(holding):
        try:
            looks.append(look_at(source.read(name, holding[name]).picture))
        except InputError:
            continue
        names.append(name)
    found = [group for group in groups(len(names), list(near_pairs(looks))) if 1 < len(group) <= MOST_ALIKE]
    return {
        names[place]: frozenset(names[other] for other in group if other != place)
        for group in found
        for place in group
    }
