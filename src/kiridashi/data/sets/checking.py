"""Look through an annotated set for what spoils a training or an evaluation."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kiridashi.core.errors import InputError
from kiridashi.core.mask import Mask
from kiridashi.data.files import one_line
from kiridashi.data.formats.model import AnnotatedPicture, AnnotatedSet, Annotation, Box, Problem
from kiridashi.data.formats.shapes import box_of
from kiridashi.data.raster import read_size
from kiridashi.data.sets.likeness import Look, groups, look, near_pairs

Severity = Literal["error", "warning"]


@dataclass(frozen=True)
class Kind:
    """A kind of problem.

    Attributes:
        severity: an error spoils results; a warning may be meant.
        title: what it is.
        repair: what `--repair` does about it; None: nothing, somebody has to decide.
    """

    severity: Severity
    title: str
    repair: str | None = None


_LEFT_OUT = "annotation left out"
PICTURE_OUT = "picture left out"
KINDS: Mapping[str, Kind] = {
    "missing-file": Kind("error", "no file of the picture", PICTURE_OUT),
    "outside-folder": Kind("error", "a file name that leads out of the folder", PICTURE_OUT),
    "unreadable": Kind("error", "a file that is no picture, or damaged", PICTURE_OUT),
    "size-mismatch": Kind("error", "annotations for another size than the picture has", PICTURE_OUT),
    "annotation-size": Kind("error", "an annotation for another size than its picture's", _LEFT_OUT),
    "size-limit": Kind("error", "a stated size beyond all pictures", PICTURE_OUT),
    "no-size": Kind("error", "no usable size", PICTURE_OUT),
    "missing-mask": Kind("error", "no mask file", PICTURE_OUT),
    "damaged": Kind("error", "an annotation that cannot be read", _LEFT_OUT),
    "not-finite": Kind("error", "a number that is not finite", _LEFT_OUT),
    "bad-box": Kind("error", "a box without area", _LEFT_OUT),
    "stated-box": Kind("error", "a stated box without sense beside a usable shape", "box made anew"),
    "empty-mask": Kind("error", "an object without a pixel", _LEFT_OUT),
    "unknown-class": Kind("error", "a class that the set does not name", _LEFT_OUT),
    "class-names": Kind("error", "classes that cannot be told apart"),
    "orphan": Kind("error", "annotations of pictures that are not listed", _LEFT_OUT),
    "too-many": Kind("error", "more objects than the format can number"),
    "too-large": Kind("error", "bitmaps beyond all memory", "the others left out"),
    "duplicate-id": Kind("error", "an id given twice", "numbered anew"),
    "leakage": Kind("error", "the same picture in two splits"),
    "conflict": Kind("error", "equal files with different annotations"),
    "outside-picture": Kind("warning", "an object that reaches out of the picture", "cut off at the edge"),
    "box-mismatch": Kind("warning", "a stated box that is not that of the shape", "box made anew"),
    "duplicate-picture": Kind("warning", "equal files with equal annotations", "all but the first left out"),
    "near-duplicate": Kind("warning", "pictures that look the same"),
    "duplicate-annotation": Kind("warning", "the same object marked twice", "the second left out"),
    "no-area": Kind("warning", "a point or line, which has no area", _LEFT_OUT),
    "several-annotators": Kind("warning", "several annotations of one picture", "the first one counts"),
    "unused-class": Kind("warning", "a class without objects"),
}
# A stated box may be this far off: rounding, and the last pixel counted in or out.
BOX_PIXELS = 2.0
# So far out of the picture is drawing along its edge.
EDGE_PIXELS = 1.0
Progress = Callable[[], None]


@dataclass(frozen=True)
class Checked:
    """What a check has found.

    Attributes:
        problems: in the order of the set, then those of several pictures.
        pictures: number of pictures.
        annotations: number of objects that could be read.
        empty: number of pictures without an object.
        groups: names of pictures that look the same, two and more each.
    """

    problems: tuple[Problem, ...]
    pictures: int
    annotations: int
    empty: int
    groups: tuple[tuple[str, ...], ...]

    @property
    def counts(self) -> dict[str, int]:
        """Problems by kind, errors first, the most frequent first."""
        counted = Counter(problem.kind for problem in self.problems)
        return dict(sorted(counted.items(), key=lambda one: (KINDS[one[0]].severity, -one[1], one[0])))

    @property
    def errors(self) -> int:
        """Number of errors."""
        return sum(KINDS[problem.kind].severity == "error" for problem in self.problems)


@dataclass(frozen=True)
class _Seen:
    """What is kept of a picture when the next one comes."""

    name: str
    split: str | None
    look: Look | None
    signature: tuple[object, ...]


def check_set(
    annotated: AnnotatedSet, *, likeness: bool = True, progress: Progress = lambda: None
) -> Checked:
    """Check a set, picture by picture, and then pictures against each other.

    Args:
        annotated: the set.
        likeness: decode the pictures, and look for damaged ones and for those that look the same.
        progress: called after each picture.
    """
    problems = [*annotated.problems, *_class_problems(annotated.classes)]
    seen: list[_Seen] = []
    ids: Counter[object] = Counter()
    names: Counter[str] = Counter()
    used: Counter[int] = Counter()
    marks: Counter[object] = Counter()
    empty = annotations = 0
    for picture in annotated:
        problems += picture.problems
        found, seen_look, signature = check_picture(picture, likeness=likeness)
        problems += found
        ids[picture.id] += picture.id is not None
        names[picture.name] += 1
        for one in picture.annotations:
            used[one.label] += 1
            marks[one.id] += one.id is not None and annotated.format == "coco"
        annotations += len(picture.annotations)
        empty += not picture.annotations
        seen.append(_Seen(picture.name, picture.split, seen_look, signature))
        progress()
    problems += _twice(ids, "pictures") + _twice(marks, "annotations") + _names_twice(names)
    problems += [
        Problem("unused-class", None, f"class {label} {name!r} has no object")
        for label, name in annotated.classes.items()
        if not used[label]
    ]
    alike = list(_alike(seen))
    problems += [problem for group in alike for problem in _group_problems(group)]
    together = tuple(tuple(one.name for one in group) for group in alike)
    return Checked(tuple(problems), len(seen), annotations, empty, together)


def check_picture(
    picture: AnnotatedPicture, *, likeness: bool = True
) -> tuple[list[Problem], Look | None, tuple[object, ...]]:
    """What is wrong with a picture and its annotations by themselves, beyond what reading them has told.

    Returns:
        The problems; what the picture looks like; and what is equal for pictures with equal annotations.
    """
    problems: list[Problem] = []
    seen = None
    if picture.path is not None:
        problems += _size_problems(picture, picture.path)
        if likeness and not problems:
            try:
                seen = look(picture.path)
            except InputError as error:
                problems.append(Problem("unreadable", picture.name, one_line(str(error))))
    if picture.size == (0, 0):
        return problems, seen, ()
    known: Counter[tuple[object, ...]] = Counter()
    for place, one in enumerate(picture.annotations, start=1):
        name = str(place if one.id is None else one.id)
        try:
            mask = one.mask(picture.size)
        except InputError as error:
            problems.append(Problem("damaged", picture.name, one_line(str(error)), name))
            continue
        found = list(_shape_problems(one, mask, picture.size))
        known[pixels_of(one, mask)] += 1
        if known[pixels_of(one, mask)] > 1 and not mask.is_empty:
            found.append(
                ("duplicate-annotation", "covers the same pixels as one of the same class before it")
            )
        problems += [Problem(kind, picture.name, text, name) for kind, text in found]
    return problems, seen, tuple(sorted(known.items(), key=repr))


def pixels_of(one: Annotation, mask: Mask) -> tuple[object, ...]:
    """Equal for annotations of one class with the same pixels, be they drawn or boxed."""
    digest = hashlib.blake2b(mask.bitmap.tobytes(), digest_size=16).digest()
    return one.label, isinstance(one.shape, Box), mask.box, digest


def box_differs(one: Annotation, mask: Mask) -> bool:
    """Whether an annotation states a box that is not that of its pixels."""
    if one.box is None or mask.is_empty:
        return False
    stated = (one.box.x0, one.box.y0, one.box.x1, one.box.y1)
    # Drawn outlines reach a little further than the pixels they fill, and out of the picture.
    drawn = box_of(one.shape)
    around = mask.box if drawn is None else (drawn.x0, drawn.y0, drawn.x1, drawn.y1)
    return all(
        max(abs(a - b) for a, b in zip(stated, box, strict=True)) > BOX_PIXELS for box in (mask.box, around)
    )


def reaches_out(one: Annotation, size: tuple[int, int]) -> bool:
    """Whether a shape reaches out of a (height, width) picture by more than drawing along the edge does."""
    box = box_of(one.shape)
    return box is not None and (
        min(box.x0, box.y0) < -EDGE_PIXELS or box.x1 > size[1] + EDGE_PIXELS or box.y1 > size[0] + EDGE_PIXELS
    )


def _size_problems(picture: AnnotatedPicture, path: Path) -> list[Problem]:
    if any(one.kind in ("unreadable", "no-size", "size-limit") for one in picture.problems):
        return []
    try:
        size = read_size(path)
    except InputError as error:
        return [Problem("unreadable", picture.name, one_line(str(error)))]
    if size == picture.size:
        return []
    turned = " (turned: does the tool ignore the EXIF orientation?)" if size == picture.size[::-1] else ""
    text = (
        f"the annotations are for {picture.size[1]} x {picture.size[0]} pixels, "
        f"the file has {size[1]} x {size[0]}{turned}"
    )
    return [Problem("size-mismatch", picture.name, text)]


def _shape_problems(one: Annotation, mask: Mask, size: tuple[int, int]) -> Iterator[tuple[str, str]]:
    if mask.is_empty:
        yield "empty-mask", "covers no pixel of the picture"
    elif reaches_out(one, size):
        yield "outside-picture", f"reaches out of the {size[1]} x {size[0]} picture"
    if box_differs(one, mask):
        box = one.box
        assert box is not None
        stated = ", ".join(f"{v:g}" for v in (box.x0, box.y0, box.x1, box.y1))
        yield (
            "box-mismatch",
            f"the stated box {stated} is not that of the shape, {', '.join(map(str, mask.box))}",
        )


def _class_problems(classes: Mapping[int, str]) -> list[Problem]:
    problems = [
        Problem("class-names", None, f"class {label} has no name")
        for label, name in classes.items()
        if not name.strip()
    ]
    same: defaultdict[str, list[int]] = defaultdict(list)
    for label, name in classes.items():
        same[name.strip().casefold()].append(label)
    return problems + [
        Problem("class-names", None, f"classes {', '.join(map(str, ids))} are all named {classes[ids[0]]!r}")
        for name, ids in same.items()
        if name and len(ids) > 1
    ]


def _twice(ids: Counter[object], what: str) -> list[Problem]:
    return [
        Problem("duplicate-id", None, f"{count} {what} have the id {one_line(str(number))[:40]}")
        for number, count in ids.items()
        if count > 1
    ]


def _names_twice(names: Counter[str]) -> list[Problem]:
    return [
        Problem("duplicate-id", name, f"{count} entries are of this picture")
        for name, count in names.items()
        if count > 1
    ]


def _alike(seen: Sequence[_Seen]) -> Iterator[list[_Seen]]:
    usable = [one for one in seen if one.look is not None]
    pairs = list(near_pairs([one.look for one in usable if one.look is not None]))
    for group in groups(len(usable), pairs):
        if len(group) > 1:
            yield [usable[place] for place in group]


def _group_problems(group: Sequence[_Seen]) -> list[Problem]:
    problems = []
    first, names = group[0], tuple(one.name for one in group)
    by_split: defaultdict[str, list[str]] = defaultdict(list)
    for one in group:
        if one.split is not None:
            by_split[one.split].append(one.name)
    if len(by_split) > 1:
        where = ", ".join(f"{split}: {members[0]}" for split, members in by_split.items())
        problems.append(Problem("leakage", first.name, f"looks the same in {where}", others=names[1:]))
    equal: defaultdict[str, list[_Seen]] = defaultdict(list)
    for one in group:
        equal[one.look.digest if one.look is not None else one.name].append(one)
    for same in equal.values():
        if len(same) < 2:
            continue
        others = tuple(one.name for one in same[1:])
        agree = len({one.signature for one in same}) == 1
        text = f"{len(same)} files have the same bytes"
        kind = "duplicate-picture" if agree else "conflict"
        problems.append(Problem(kind, same[0].name, text, others=others))
    if len(equal) > 1:
        text = f"{len(group)} pictures look the same"
        problems.append(Problem("near-duplicate", first.name, text, others=names[1:]))
    return problems
