"""What the writers of all formats share: the new folder, safe names, the pictures, and what is lost."""

import hashlib
import os
import re
import shutil
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from kiridashi.core.errors import InputError, UsageError
from kiridashi.data.atomic import atomic_path
from kiridashi.data.files import one_line, reason_of
from kiridashi.data.formats.faults import Fault, problem
from kiridashi.data.formats.finding import safe_name
from kiridashi.data.formats.model import AnnotatedPicture, AnnotatedSet, Annotation, Problem
from kiridashi.data.targets import safe_stem

Pictures = Literal["copy", "link", "none"]
Shapes = Literal["keep", "polygon", "bitmap"]


@dataclass
class Written:
    """What was written.

    Attributes:
        pictures: number of entries.
        annotations: number of objects.
        lost: what the format cannot hold, and how often that was met.
        problems: of the pictures and annotations that were read, and those that could not be written.
    """

    pictures: int = 0
    annotations: int = 0
    lost: Counter[str] = field(default_factory=Counter)
    problems: list[Problem] = field(default_factory=list)

    def lose(self, what: str, count: int = 1) -> None:
        """Count something that the format has no place for."""
        if count:
            self.lost[what] += count


class OutFolder:
    """The new folder that a set is written into.

    Args:
        path: made when missing.
        pictures: whether the picture files are copied, linked (hard, else copied) or left where they are.

    Attributes:
        path: of the folder.
        written: so far.

    Raises:
        UsageError: there is something in the folder already, or it cannot be made.
    """

    def __init__(self, path: Path, pictures: Pictures = "copy") -> None:
        self.path, self._how = path, pictures
        self.written = Written()
        self._taken: dict[str, set[str]] = {}
        try:
            if path.is_dir() and any(path.iterdir()):
                raise UsageError(f"{path}: is not empty; name a new folder for the result")
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(one_line(f"{path}: cannot be written: {reason_of(error)}")) from error

    def place(self, picture: AnnotatedPicture, folder: str = "", *, flat: bool = False) -> str:
        """Bring the picture's file into a folder below this one.

        Args:
            picture: of the set.
            folder: below this one.
            flat: no folders in the name; and no two names that differ by their suffix alone.

        Returns:
            Its name below `folder`.
        """
        name = self._free(_clean(picture.name, flat), folder, by_stem=flat)
        if picture.path is None or self._how == "none":
            return name
        target = self.path / folder / name
        try:
            with atomic_path(target) as temporary:
                if self._how == "link":
                    _link(picture.path, temporary)
                else:
                    shutil.copyfile(picture.path, temporary)
        except OSError as error:
            raise UsageError(one_line(f"{target}: cannot be written: {reason_of(error)}")) from error
        return name

    def _free(self, name: str, folder: str, *, by_stem: bool) -> str:
        taken = self._taken.setdefault(folder, set())
        stem, suffix = os.path.splitext(name)  # noqa: PTH122  # folders in front are kept
        key = (stem if by_stem else name).casefold()
        number = 1
        while key in taken:
            number += 1
            name = f"{stem}-{number}{suffix}"
            key = (f"{stem}-{number}" if by_stem else name).casefold()
        taken.add(key)
        return name


def write_pictures(
    annotated: AnnotatedSet, folder: OutFolder, write: Callable[[AnnotatedPicture], int]
) -> Written:
    """Write picture by picture; one that cannot be written is a problem, and the others are.

    Args:
        annotated: the set.
        folder: to write into.
        write: one picture; returns the number of objects it wrote; raises InputError.
    """
    written = folder.written
    written.problems += annotated.problems
    for picture in annotated:
        written.problems += picture.problems
        if picture.size == (0, 0):  # what is wrong with it is among its problems
            continue
        try:
            count = write(_usable(picture, written))
        except InputError as error:
            written.problems.append(problem(picture.name, error))
            continue
        written.pictures += 1
        written.annotations += count
    return written


def _usable(picture: AnnotatedPicture, written: Written) -> AnnotatedPicture:
    """The picture without objects that cover no pixel, each of which is a problem."""
    usable = []
    for place, one in enumerate(picture.annotations, start=1):
        name = place if one.id is None else one.id
        try:
            if not one.mask(picture.size).is_empty:
                usable.append(one)
                continue
            error: InputError = Fault("empty-mask", "an object that covers no pixel of the picture")
        except InputError as raised:
            error = raised
        written.problems.append(problem(picture.name, error, name))
    return replace(picture, annotations=tuple(usable))


def renumbered(
    annotated: AnnotatedSet, first: int, written: Written, most: int | None = None
) -> Mapping[int, int]:
    """New ids for a format that numbers classes without gaps from `first` on.

    Raises:
        InputError: more classes than the format can number.
    """
    if most is not None and len(annotated.classes) > most:
        raise InputError(
            f"{len(annotated.classes)} classes are more than the {most} that the format can number"
        )
    ids = sorted(annotated.classes)
    new = {label: place for place, label in enumerate(ids, start=first)}
    written.lose("ids of classes (numbered anew)", sum(old != now for old, now in new.items()))
    return new


def lose_common(picture: AnnotatedPicture, written: Written, *, keeps: frozenset[str] = frozenset()) -> None:
    """Count what a picture has and a format does not keep.

    Args:
        picture: of the set.
        written: counts.
        keeps: of `score`, `crowd`, `id`, `attributes`, `box`, `ignore`, `picture id`, `tags`.
    """
    each: dict[str, Callable[[Annotation], bool]] = {
        "score": lambda one: one.score is not None,
        "crowd": lambda one: one.crowd,
        "id": lambda one: one.id is not None,
        "attributes": lambda one: bool(one.attributes),
        "box": lambda one: one.box is not None,
    }
    names = {
        "score": "scores",
        "crowd": "crowd marks",
        "id": "ids of annotations",
        "attributes": "attributes of annotations",
        "box": "stated boxes (made anew from the shapes)",
    }
    for key, has in each.items():
        if key not in keeps:
            written.lose(names[key], sum(map(has, picture.annotations)))
    if "ignore" not in keeps and picture.ignore is not None and not picture.ignore.is_empty:
        written.lose("areas that count neither way")
    if "picture id" not in keeps and picture.id is not None:
        written.lose("ids of pictures")
    if "tags" not in keeps and picture.tags:
        written.lose("tags of pictures")


def _clean(name: str, flat: bool) -> str:
    parts = safe_name(name).split("/")
    *folders, file = parts
    suffix = re.sub(r"[^A-Za-z0-9.]", "", os.path.splitext(file)[1])[:16]  # noqa: PTH122
    stem = file[: len(file) - len(suffix)] if suffix else file
    cleaned = [safe_stem(part) for part in folders]
    last = safe_stem(stem)
    if flat:
        joined = "_".join([*cleaned, last])
        if len(joined.encode()) > 200:
            joined = f"{last}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
        return joined + suffix
    return "/".join([*cleaned[-8:], last + suffix])


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source.resolve(), target)
    except OSError:
        # Another disk, or a file system without links.
        shutil.copyfile(source, target)
