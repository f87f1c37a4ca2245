"""From what a source claims about pictures to one consistent set."""

import os
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from kiridashi.core.errors import InputError, UsageError
from kiridashi.data.files import one_line
from kiridashi.localize.labels import names
from kiridashi.localize.labels.items import Box, LabelledPicture, LabelSet, Refused
from kiridashi.localize.labels.twins import find_twins

# ImageNet's number; a column of remarks taken for the labels has more.
MOST_CLASSES = 1000


@dataclass(frozen=True)
class Claim:
    """One row of a label file, or one file in the folder of a class.

    Attributes:
        path: the picture; it is there.
        labels: as written, at least one.
        split: `train`, `val`, `test` or None.
        boxes: of its objects.
    """

    path: Path
    labels: tuple[str, ...]
    split: str | None = None
    boxes: tuple[Box, ...] = ()


@dataclass
class _Told:
    """Everything that is claimed of one picture."""

    path: Path
    classes: set[str] = field(default_factory=set)
    normal: set[str] = field(default_factory=set)
    splits: set[str] = field(default_factory=set)
    boxes: list[Box] = field(default_factory=list)

    def take(self, other: "_Told") -> None:
        self.classes |= other.classes
        self.normal |= other.normal
        self.splits |= other.splits
        self.boxes += [box for box in other.boxes if box not in self.boxes]

    def problem(self) -> str | None:
        """Why nobody can say what is in the picture."""
        if self.normal and self.classes:
            both = f"{min(self.normal)!r} and {min(self.classes)!r}"
            return f"labelled {both}, which contradict one another; correct the labels"
        if len(self.splits) > 1:
            return f"in the splits {' and '.join(sorted(self.splits))}; a picture belongs to one"
        if self.normal and self.boxes:
            return f"labelled {min(self.normal)!r}, and yet it has a box; correct the labels"
        return None


def gather(
    claims: Iterable[Claim], refused: Sequence[Refused], normal: Collection[str], source: str
) -> LabelSet:
    """One item a picture, with the labels of all its rows.

    Labels that differ only in case or width are one class, by the first spelling. Files of equal content are
    one picture. A picture whose labels contradict one another is refused.

    Args:
        claims: of the source, in order.
        refused: what the source had to leave out.
        normal: further labels that mean that nothing is there.
        source: for messages.

    Raises:
        InputError: no picture can be used.
        UsageError: more than `MOST_CLASSES` classes.
    """
    keys = names.normal_keys(normal)
    spelling: dict[str, str] = {}
    normal_names: dict[str, str] = {}
    told: dict[str, _Told] = {}
    repeated = 0
    for claim in claims:
        one = _Told(claim.path, splits={claim.split} if claim.split else set(), boxes=list(claim.boxes))
        for label in claim.labels:
            if names.is_normal(label, keys):
                one.normal.add(normal_names.setdefault(names.key(label), label))
            else:
                one.classes.add(spelling.setdefault(names.key(label), label))
        known = told.setdefault(os.path.realpath(claim.path), _Told(claim.path))
        repeated += _says_nothing_new(known, one)
        known.take(one)
        if len(spelling) > MOST_CLASSES:
            raise UsageError(
                one_line(
                    f"{source}: more than {MOST_CLASSES} classes; is the column of labels the right one?"
                )
            )
    left_out = [*refused]
    items = _items(_merge_twins(list(told.values()), left_out), left_out)
    if not items:
        raise InputError(_nothing(source, left_out))
    classes = tuple(sorted({label for item in items for label in item.labels}))
    return LabelSet(items, classes, tuple(left_out), tuple(sorted(normal_names.values())), repeated)


def _says_nothing_new(known: _Told, one: _Told) -> bool:
    if not (known.classes or known.normal):
        return False
    return one.classes <= known.classes and one.normal <= known.normal and set(one.boxes) <= set(known.boxes)


def _merge_twins(told: list[_Told], refused: list[Refused]) -> list[_Told]:
    """Copies of a picture would be learned from and judged by at once."""
    merged = {id(one): one for one in told}
    for twins in find_twins([one.path for one in told]):
        first, *others = (told[place] for place in twins)
        for other in others:
            first.take(other)
            reason = f"the same picture as {first.path}; it counts once, with the labels of both"
            refused.append(Refused(one_line(str(other.path)), one_line(reason)))
            del merged[id(other)]
    return list(merged.values())


def _items(told: Sequence[_Told], refused: list[Refused]) -> tuple[LabelledPicture, ...]:
    items = []
    for one in told:
        problem = one.problem()
        if problem is None:
            split = next(iter(one.splits), None)
            boxes = tuple(one.boxes) or None
            items.append(LabelledPicture(one.path, frozenset(one.classes), split, boxes))
        else:
            refused.append(Refused(one_line(str(one.path)), problem))
    return tuple(items)


def _nothing(source: str, refused: Sequence[Refused]) -> str:
    if not refused:
        return one_line(
            f"{source}: no labelled picture there; expected a line for each picture, or one folder of "
            "pictures for each class"
        )
    more = f" (and {len(refused) - 1} more)" if len(refused) > 1 else ""
    return one_line(f"{source}: no label there can be used; {refused[0].file}: {refused[0].reason}{more}")
