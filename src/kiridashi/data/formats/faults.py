"""What is wrong with one annotation, and how readers go on without it."""

from collections.abc import Callable, Iterable, Sequence
from math import isfinite
from typing import Any, TypeVar

from kiridashi.core.errors import InputError
from kiridashi.core.mask import Mask
from kiridashi.data.files import one_line
from kiridashi.data.formats.model import Annotation, Problem, Value

EntryT = TypeVar("EntryT")
# Of the boxes of all bitmaps of one picture together.
MAX_BITMAP_PIXELS = 2**30


class Fault(InputError):  # noqa: N818 (told as a problem, mostly not raised to the user)
    """One annotation cannot be used.

    Attributes:
        kind: of problem; see `kiridashi.data.sets.KINDS`.
    """

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind


def problem(picture: str | None, error: InputError, annotation: Any = None) -> Problem:
    """The problem that an error stands for."""
    kind = error.kind if isinstance(error, Fault) else "damaged"
    if kind == "size-mismatch" and annotation is not None:
        kind = "annotation-size"
    name = None if annotation is None else one_line(str(annotation))[:80]
    return Problem(kind, picture, one_line(str(error))[:300], name)


def read_each(
    entries: Iterable[EntryT],
    read: Callable[[EntryT], Annotation | Sequence[Annotation] | None],
    picture: str,
    name: Callable[[EntryT], Any] = lambda _: None,
) -> tuple[list[Annotation], list[Problem]]:
    """The annotations of a picture, and a problem for every entry that gives none.

    Args:
        entries: as the file has them.
        read: one of them; raises InputError.
        picture: its name.
        name: of an entry; None: its place, from 1 on.
    """
    annotations: list[Annotation] = []
    problems: list[Problem] = []
    pixels = 0
    for place, entry in enumerate(entries, start=1):
        try:
            found = read(entry)
        except InputError as error:
            told = name(entry)
            problems.append(problem(picture, error, place if told is None else told))
            continue
        several = [found] if isinstance(found, Annotation) else found or ()
        pixels += sum(one.shape.bitmap.size for one in several if isinstance(one.shape, Mask))
        if pixels > MAX_BITMAP_PIXELS:
            text = f"from annotation {place} on the bitmaps have more than {MAX_BITMAP_PIXELS} pixels in all"
            problems.append(Problem("too-large", picture, text))
            break
        annotations.extend(several)
    return annotations, problems


def read_score(value: Any) -> float | None:
    """A score as the file has it; None for what is no finite number."""
    usable = type(value) in (int, float) and -(10**9) < value < 10**9
    return float(value) if usable else None


def read_values(value: Any) -> dict[str, Value]:
    """The plain values of an object in JSON, without NaN and infinity; nothing of what is no object."""
    if not isinstance(value, dict):
        return {}
    plain = {str(key): one for key, one in value.items() if type(one) in (str, int, float, bool)}
    return {key: one for key, one in plain.items() if not isinstance(one, float) or isfinite(one)}


def known_class(label: int | None, written: object) -> int:
    """The id of a class.

    Raises:
        Fault: there is none.
    """
    if label is None:
        raise Fault("unknown-class", f"the class {one_line(str(written))[:60]!r} is not one of the set")
    return label
