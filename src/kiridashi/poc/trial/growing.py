"""The classes of a use case taught one after another: is an earlier one lost when the next one comes?

After each addition the test pictures of every class taught so far are asked. What is or looks like a sample
of any class is not measured, also where the class comes later. Pictures are taken in turns of the classes,
each with all its answers, so that a run out of time has fewer pictures and no class without.
"""

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol, TypeVar

from kiridashi.core.errors import InputError, UsageError
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.core.reference import Negative, Reference
from kiridashi.core.segments import Segments
from kiridashi.data.files import one_line
from kiridashi.evaluate.episodes import Example
from kiridashi.evaluate.pictures import Key, Line, Plan
from kiridashi.evaluate.pictures.drawing import Draw, unlike
from kiridashi.evaluate.pictures.measuring import guarded
from kiridashi.evaluate.pictures.scoring import score_answer
from kiridashi.evaluate.pictures.sets import PictureSet

# Stands for the list of classes where other lines name a method.
METHOD = "classes"
# What a line's provenance tells: how many classes the list had learned, and what it calls the object.
TAUGHT, CALLED = "taught", "called"
_VIEW = "taught:"
T = TypeVar("T")


class Growing(Protocol):
    """A list of classes that grows, and knows what each of its states says of a picture."""

    def add(self, name: str, references: Sequence[Reference], negatives: Sequence[Negative] = ()) -> None:
        """Learn one class more."""
        ...

    def answers(self, picture: Picture) -> Sequence[Segments]:
        """The objects of a picture, labelled with their classes, as they were named after each addition."""
        ...


GrowingMaker = Callable[[], Growing]


@dataclass(frozen=True)
class Lesson:
    """One class of the list.

    Attributes:
        number: its place in the order of teaching, from 1 on.
        label: the class.
        shots: pictures that it is taught with.
        negatives: pictures without any class that are shown with them.
        tests: pictures that are asked.
        seed: of the draw.
    """

    number: int
    label: str
    shots: tuple[str, ...]
    negatives: tuple[str, ...]
    tests: tuple[str, ...]
    seed: int


def lessons(plan: Plan, free: Collection[str], most: int) -> list[Lesson]:
    """The classes in the set's order, each with the first draw and the most shots that it has pictures for.

    Args:
        plan: of the comparison.
        free: ids of the pictures without any object.
        most: test pictures a class.

    Returns:
        In the order of teaching; empty where there is a single class.
    """
    drawn: dict[str, Draw] = {}
    for one in plan.draws():
        if one.seed == plan.seeds[0]:
            # More shots come later.
            drawn[one.label] = one
    if len(drawn) < 2:
        return []
    known = {name for one in drawn.values() for name in one.supports}
    found = []
    for number, one in enumerate(drawn.values(), 1):
        left = [name for name in one.present if name not in known]
        negatives = tuple(name for name in one.negatives if name in free)
        tests = unlike(left, known, plan.twins)[:most]
        found.append(Lesson(number, one.label, one.supports, negatives, tests, one.seed))
    return found


def keys_of(source: PictureSet, taught: Sequence[Lesson]) -> list[Key]:
    """One for each line: every test picture of a class after its own and each later addition."""
    return [
        key_of(source.name, one, step, picture)
        for picture, asked in _in_turns(taught)
        for one in asked
        for step in range(one.number, len(taught) + 1)
    ]


def key_of(name: str, one: Lesson, step: int, picture: str) -> Key:
    """The question to a set of this name after an addition, by its number."""
    return Key(name, one.label, len(one.shots), one.seed, picture, f"{_VIEW}{step}", METHOD)


def ask(
    source: PictureSet,
    taught: Sequence[Lesson],
    make: GrowingMaker,
    is_done: Callable[[Key], bool],
    *,
    debug: bool = False,
) -> Iterator[Line]:
    """Teach every class and make the lines that are not done yet.

    A class that cannot be taught, and a picture that cannot be answered, become lines with the reason, and
    the others go on.

    Args:
        source: the pictures.
        taught: the classes in order.
        make: an empty list of classes.
        is_done: whether there is a valid line.
        debug: let defects through instead of noting them.
    """
    pending: list[tuple[str, list[_Questions]]] = []
    for picture, asked in _in_turns(taught):
        questions: list[_Questions] = [
            (one, keys) for one in asked if (keys := _pending(source, one, len(taught), picture, is_done))
        ]
        if questions:
            pending.append((picture, questions))
    if not pending:
        return
    school = _School(source, debug)
    school.teach(taught, make)
    for picture, questions in pending:
        yield from school.ask(picture, questions)


_Questions = tuple[Lesson, Sequence[tuple[int, Key]]]


class _School:
    """A list of classes while it is taught and asked."""

    def __init__(self, source: PictureSet, debug: bool) -> None:
        self._source, self._debug = source, debug
        self._data = source.fingerprint
        self._list: Growing | str = "not taught yet"
        # Why a class could not be taught, and what teaching took, by its name.
        self._failed: dict[str, str] = {}
        self._seconds: dict[str, float] = {}
        # The number of classes that had been learned after each step.
        self._learned = [0]

    def teach(self, taught: Sequence[Lesson], make: GrowingMaker) -> None:
        """All classes in order."""
        self._list = _tried(make, self._debug)
        for one in taught:
            started = time.perf_counter()
            reason = self._list if isinstance(self._list, str) else self._teach(self._list, one)
            if reason is not None:
                self._failed[one.label] = reason
            self._seconds[one.label] = time.perf_counter() - started
            self._learned.append(self._learned[-1] + (reason is None))

    def ask(self, picture: str, questions: Sequence[_Questions]) -> Iterator[Line]:
        """The answers to all questions about a picture, which is looked at once."""
        started = time.perf_counter()
        answers = _tried(partial(self._answers, picture, questions[0][0].label), self._debug)
        seconds = (time.perf_counter() - started) / sum(len(keys) for _, keys in questions)
        for one, keys in questions:
            truth = self._truth(picture, one.label)
            for step, key in keys:
                line: Line | str
                if isinstance(truth, str):
                    line = truth
                elif isinstance(answers, str):
                    line = answers
                else:
                    found = answers[self._learned[step] - 1]
                    line = _tried(partial(self._line, one, key, step, found, truth, seconds), self._debug)
                yield _failure(one, key, self._data, line) if isinstance(line, str) else line

    def _teach(self, growing: Growing, one: Lesson) -> str | None:
        def work() -> None:
            references = [self._source.read(name, one.label).as_reference() for name in one.shots]
            negatives = [Negative(self._source.read(name, one.label).picture) for name in one.negatives]
            growing.add(one.label, references, negatives)

        return _tried(work, self._debug)

    def _truth(self, picture: str, label: str) -> Example | str:
        """The picture with its mask, or why there is no answer to come."""
        if label in self._failed:
            return self._failed[label]
        return _tried(partial(self._source.read, picture, label), self._debug)

    def _answers(self, picture: str, label: str) -> Sequence[Segments]:
        if isinstance(self._list, str):
            raise InputError(self._list)
        return self._list.answers(self._source.read(picture, label).picture)

    def _line(
        self, one: Lesson, key: Key, step: int, found: Segments, truth: Example, seconds: float
    ) -> Line:
        called = name_of(found, truth.mask)
        return Line(
            key,
            not truth.mask.is_empty,
            one.shots,
            one.negatives,
            self._data,
            score_answer(_only(found, one.label), truth),
            self._seconds[one.label],
            seconds,
            None,
            {TAUGHT: str(self._learned[step])} | ({} if called is None else {CALLED: called}),
        )


def _failure(one: Lesson, key: Key, data: str, reason: str) -> Line:
    return Line(key, True, one.shots, one.negatives, data, error=reason)


def is_whole(line: Line) -> bool:
    """Whether the list had learned every class so far when it gave this answer."""
    return (line.provenance or {}).get(TAUGHT) == str(step_of(line.key))


def step_of(key: Key) -> int:
    """The number of the addition after which a question was asked."""
    return int(key.view.removeprefix(_VIEW))


def name_of(found: Segments, truth: Mask) -> str | None:
    """What the list calls an object: the class of that which fits it best; None: nothing touches it.

    Args:
        found: all that the list names in the picture, best first; of equally good fits the first counts.
        truth: the object.
    """
    overlaps = [_overlap(segment.mask, truth) for segment in found]
    best = max(overlaps, default=0.0)
    return found[overlaps.index(best)].label if best > 0 else None


def _overlap(mask: Mask, truth: Mask) -> float:
    inside = mask.intersection(truth)
    return inside / (mask.area + truth.area - inside) if inside else 0.0


def _only(found: Segments, label: str) -> Segments:
    return Segments(found.size, tuple(segment for segment in found if segment.label == label))


def _tried(work: Callable[[], T], debug: bool) -> T | str:
    """What the work gives, or why it does not; that a model refuses is a reason like others here."""
    try:
        return guarded(work, debug)
    except UsageError as error:
        return one_line(str(error))


def _pending(
    source: PictureSet, one: Lesson, last: int, picture: str, is_done: Callable[[Key], bool]
) -> list[tuple[int, Key]]:
    every = [(step, key_of(source.name, one, step, picture)) for step in range(one.number, last + 1)]
    return [(step, key) for step, key in every if not is_done(key)]


def _in_turns(taught: Sequence[Lesson]) -> list[tuple[str, list[Lesson]]]:
    """Pictures with the classes that they test, one of each class after another."""
    asked: dict[str, list[Lesson]] = {}
    for place in range(max((len(one.tests) for one in taught), default=0)):
        for one in taught:
            if place < len(one.tests):
                asked.setdefault(one.tests[place], []).append(one)
    return list(asked.items())
