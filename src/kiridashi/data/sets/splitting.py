"""Divide a set into parts: every class in proportion, and what belongs together in one part.

Groups are dealt out by iterative stratification (Sechidis, Tsoumakas and Vlahavas, ECML PKDD 2011): of the
class with the fewest pictures left, each group goes to the part that lacks most of this class. Pictures
without an object are a class of their own. The seed decides between equals.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from kiridashi.core.errors import InputError, UsageError
from kiridashi.data.formats.model import AnnotatedPicture, AnnotatedSet
from kiridashi.data.sets.likeness import Look, groups, look, near_pairs

NOTHING = 0  # stands for pictures without an object; class ids are moved up by one


@dataclass(frozen=True)
class Part:
    """A part to make.

    Attributes:
        name: of the split.
        share: of the pictures, 0..1; or
        count: of pictures; both None: what the others leave.
    """

    name: str
    share: float | None = None
    count: int | None = None


@dataclass(frozen=True)
class Division:
    """How a set was divided.

    Attributes:
        parts: of each picture, in the order of the set; None: in no part.
        groups: number of the group of each picture.
        labels: classes of each picture.
    """

    parts: tuple[str | None, ...]
    groups: tuple[int, ...]
    labels: tuple[tuple[int, ...], ...]

    def counts(self) -> dict[str, int]:
        """Pictures by part."""
        return dict(Counter(part for part in self.parts if part is not None))

    def by_class(self) -> dict[int, dict[str, int]]:
        """Pictures of each class by part."""
        table: dict[int, Counter[str]] = {}
        for part, labels in zip(self.parts, self.labels, strict=True):
            for label in labels:
                table.setdefault(label, Counter())[part or "-"] += 1
        return {label: dict(row) for label, row in sorted(table.items())}

    def apply(self, annotated: AnnotatedSet) -> AnnotatedSet:
        """The set with the parts as its splits; pictures in no part are left out."""

        def read() -> Iterator[AnnotatedPicture]:
            for picture, part in zip(annotated, self.parts, strict=True):
                if part is not None:
                    yield replace(picture, split=part)

        return replace(annotated, read=read)


def read_parts(text: str) -> list[Part]:
    """Parts from `train=0.7,val=0.15,test=0.15`, `train=10,test=rest` or a mixture.

    Raises:
        UsageError: not of this form, or shares above 1 in all.
    """
    parts = []
    for piece in filter(None, (piece.strip() for piece in text.split(","))):
        name, sign, value = (side.strip() for side in piece.partition("="))
        part = _part(name, value) if sign and name else None
        if part is None:
            raise UsageError(
                f"{piece!r}: a part is NAME=SHARE (0.7), NAME=COUNT (10) or NAME=rest, as in "
                "train=0.8,test=0.2"
            )
        parts.append(part)
    names = [part.name for part in parts]
    if len(parts) < 1 or len(set(names)) < len(names):
        raise UsageError("name at least one part, and each once, as in train=0.8,test=0.2")
    if sum(part.share or 0 for part in parts) > 1 + 1e-9:
        raise UsageError("the shares of the parts are more than 1 in all")
    if sum(part.share is None and part.count is None for part in parts) > 1:
        raise UsageError("only one part can have the rest")
    return parts


def _part(name: str, value: str) -> Part | None:
    if value == "rest":
        return Part(name)
    try:
        number = float(value)
    except ValueError:
        return None
    if value.isdecimal() and number >= 1 and value != "1":
        return Part(name, count=int(value))
    return Part(name, share=number) if 0 < number <= 1 else None


def divide(
    annotated: AnnotatedSet,
    parts: Sequence[Part],
    *,
    seed: int = 0,
    likeness: bool = True,
    tags: Sequence[str] = (),
) -> Division:
    """Divide a set.

    Args:
        annotated: the set.
        parts: to make.
        seed: decides between equals.
        likeness: keep pictures that look the same in one part.
        tags: keep pictures in one part that agree in one of these tags, as a serial number.

    Raises:
        UsageError: more pictures are asked for than there are, or a tag that no picture has.
    """
    pictures = list(_slim(annotated, likeness))
    wanted = _wanted(parts, len(pictures))
    pairs = [*_by_tags([picture for picture, _ in pictures], tags)]
    if likeness:
        seen = [(place, found) for place, (_, found) in enumerate(pictures) if found is not None]
        pairs += [(seen[a][0], seen[b][0]) for a, b in near_pairs([found for _, found in seen])]
    members = groups(len(pictures), pairs)
    labels = [tuple(label + 1 for label in picture.labels()) or (NOTHING,) for picture, _ in pictures]
    names = [part.name for part in parts]
    chosen = _deal(members, labels, [wanted[name] for name in names], seed)
    assigned: list[str | None] = [None] * len(pictures)
    number = [0] * len(pictures)
    for group, (place, part) in enumerate(zip(members, chosen, strict=True)):
        for one in place:
            assigned[one] = None if part is None else names[part]
            number[one] = group
    return Division(tuple(assigned), tuple(number), tuple(picture.labels() for picture, _ in pictures))


def _slim(annotated: AnnotatedSet, likeness: bool) -> Iterator[tuple[AnnotatedPicture, Look | None]]:
    for picture in annotated:
        found = None
        if likeness and picture.path is not None:
            try:
                found = look(picture.path)
            except InputError:
                found = None  # `check` says what is wrong with it
        yield picture, found


def _wanted(parts: Sequence[Part], total: int) -> dict[str, float]:
    wanted = {
        part.name: float(part.count) if part.count is not None else total * (part.share or 0.0)
        for part in parts
        if part.count is not None or part.share is not None
    }
    asked = sum(wanted.values())
    if asked > total + 1e-6 * max(total, 1):
        raise UsageError(f"{asked:g} pictures are asked for, and the set has {total}")
    for part in parts:
        wanted.setdefault(part.name, total - asked)
    return wanted


def _by_tags(pictures: Sequence[AnnotatedPicture], tags: Sequence[str]) -> list[tuple[int, int]]:
    pairs = []
    for tag in tags:
        first: dict[str, int] = {}
        for place, picture in enumerate(pictures):
            value = picture.tags.get(tag)
            if value is not None:
                pairs.append((first.setdefault(value, place), place))
        if not first:
            raise UsageError(f"no picture has a tag {tag!r}; give a table of tags with --tags")
    return pairs


def _deal(
    members: Sequence[Sequence[int]],
    labels: Sequence[tuple[int, ...]],
    wanted: Sequence[float],
    seed: int,
) -> list[int | None]:
    """Part of each group; None for those in no part."""
    classes = sorted({label for one in labels for label in one})
    column = {label: place for place, label in enumerate(classes)}
    has = np.zeros((len(members), len(classes)))
    for group, places in enumerate(members):
        for place in places:
            for label in labels[place]:
                has[group, column[label]] += 1
    sizes = np.array([len(places) for places in members], dtype=float)
    total = max(sizes.sum(), 1)
    # What no part wants is a part of its own, so that the others keep their proportions.
    room = np.array([*wanted, total - sum(wanted)] if sum(wanted) < total - 0.5 else wanted, dtype=float)
    lacking = np.outer(room / total, has.sum(axis=0))
    draw = np.random.default_rng(seed)
    order = draw.permutation(len(members))
    chosen: list[int | None] = [None] * len(members)
    free = np.ones(len(members), dtype=bool)
    while free.any():
        left = has[free].sum(axis=0)
        scarce = int(np.where(left > 0, left, np.inf).argmin())
        # The largest groups first: they are the hardest to place.
        turn = [int(group) for group in order if free[group] and has[group, scarce] > 0]
        for group in sorted(turn, key=lambda group: -sizes[group]):
            free[group] = False
            fitting = np.flatnonzero(room >= sizes[group] - 0.5)
            options = fitting if fitting.size else np.flatnonzero(np.isclose(room, room.max()))
            need = lacking[options, scarce]
            best = options[np.isclose(need, need.max())]
            best = best[np.isclose(room[best], room[best].max())]
            part = int(best[draw.integers(len(best))])
            chosen[group] = part if part < len(wanted) else None
            room[part] -= sizes[group]
            lacking[part] -= has[group]
    return chosen
