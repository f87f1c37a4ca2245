"""Fits times pictures: every answer is scored and handed over as one line before the next is asked for."""

import time
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from types import MappingProxyType
from typing import TypeVar

from kiridashi.core.errors import InputError, KiridashiError, UsageError
from kiridashi.core.reference import Negative, Reference
from kiridashi.data.files import one_line, reason_of
from kiridashi.evaluate.answering import Segmenter
from kiridashi.evaluate.episodes import Example
from kiridashi.evaluate.peak_memory import peak_mib, reset_peak
from kiridashi.evaluate.pictures.drawing import Draw, draw
from kiridashi.evaluate.pictures.lines import Key, Line
from kiridashi.evaluate.pictures.scoring import score_answer
from kiridashi.evaluate.pictures.sets import PictureSet
from kiridashi.evaluate.pictures.twins import Twins, find_twins

__all__ = ["AS_IT_IS", "Maker", "Plan", "Segmenter", "View", "measure"]


# From a seed to an unfitted method.
Maker = Callable[[int], Segmenter]
# A change of a measured picture, mask and ignored region moved along with it.
View = Callable[[Example], Example]
AS_IT_IS = ""
# A method without a verdict says "there" from this share of the smallest shot's object on: single pixels that
# a site would ignore are no alarm.
LEAST_SHARE = 0.1
T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Plan:
    """What to compare.

    Attributes:
        source: the pictures.
        methods: by name, makers of unfitted methods with their verdict of presence on.
        shots: numbers of pictures with the class that are shown.
        seeds: each draws other shots, and is the seed of the methods that learn from them.
        negatives: pictures without the class that are shown too.
        most: measure at most so many pictures with the class and so many without; None: all.
        views: named changes in which each picture is measured; `""` is the picture as it is.
        known_twins: of the pictures, where somebody has looked for them; None: they are looked for.
    """

    source: PictureSet
    methods: Mapping[str, Maker]
    shots: Sequence[int] = (1,)
    seeds: Sequence[int] = (0,)
    negatives: int = 0
    most: int | None = None
    views: Mapping[str, View] = field(default_factory=lambda: MappingProxyType({AS_IT_IS: _as_it_is}))
    known_twins: Twins | None = None

    def __post_init__(self) -> None:
        if not self.methods or not self.views:
            raise UsageError("a comparison needs at least one method and one view of the pictures")

    def draws(self) -> list[Draw]:
        """Which pictures are shown and measured.

        Raises:
            UsageError: see `kiridashi.evaluate.pictures.drawing.draw`.
        """
        return draw(
            self.source,
            self.shots,
            self.seeds,
            negatives=self.negatives,
            most=self.most,
            twins=self.twins,
        )

    @cached_property
    def twins(self) -> Twins:
        """Pictures that look the same, of which one is not measured when another is shown."""
        return find_twins(self.source) if self.known_twins is None else self.known_twins

    def keys(self) -> list[Key]:
        """One for each line that the comparison will have, in order."""
        return [
            key for one in self.draws() for method in self.methods for key, _ in self.questions(one, method)
        ]

    def pending(self, known: Callable[[Key], Line | None]) -> int:
        """Number of lines that are still to be made."""
        data = self.source.fingerprint
        return sum(
            not _is_done(known(key), one, data)
            for one in self.draws()
            for method in self.methods
            for key, _ in self.questions(one, method)
        )

    def questions(self, one: Draw, method: str) -> list[tuple[Key, bool]]:
        """What a method is asked after a fit, and whether the class is in the picture."""
        return [
            (Key(self.source.name, one.label, one.shots, one.seed, name, view, method), there)
            for name, there in one.targets
            for view in self.views
        ]


@dataclass(frozen=True, eq=False)
class Fitted:
    """What has learned, what that took, and from which share of a picture on it says "there"."""

    segmenter: Segmenter
    seconds: float
    peak: float | None
    least: float


# What has learned, by the draw, the method and the state of the set: of no use to anybody but `measure`.
Kept = MutableMapping[tuple[Draw, str, str], Fitted]


def measure(
    plan: Plan,
    known: Callable[[Key], Line | None] = lambda _: None,
    *,
    kept: Kept | None = None,
    debug: bool = False,
) -> Iterator[Line]:
    """Make every line that is not known yet.

    A method learns once for all pictures of a draw. A picture, a fit or an answer that fails becomes a line
    with its reason, and the others go on.

    Args:
        plan: what to compare.
        known: the line of a key, if there is one; lines of failures and of changed files are made again.
        kept: methods that have learned in another call for the same draws; they stay in it. None: each call
            teaches anew, and forgets.
        debug: let defects through instead of noting them.

    Yields:
        Lines in the order of classes, seeds, shots, methods and pictures.

    Raises:
        UsageError: a class has too few pictures; or a method refuses how it is used, which would be the same
            for every picture.
    """
    data = plan.source.fingerprint
    for one in plan.draws():
        pending = {
            method: [
                (key, there)
                for key, there in plan.questions(one, method)
                if not _is_done(known(key), one, data)
            ]
            for method in plan.methods
        }
        if any(pending.values()):
            yield from _draw_lines(plan, one, pending, data, kept, debug)


def _is_done(line: Line | None, one: Draw, data: str) -> bool:
    return line is not None and line.answers(one.supports, one.negatives, data)


def _draw_lines(
    plan: Plan,
    one: Draw,
    pending: Mapping[str, Sequence[tuple[Key, bool]]],
    data: str,
    kept: Kept | None,
    debug: bool,
) -> Iterator[Line]:
    shown = guarded(partial(_shown, plan.source, one), debug)
    for method, questions in pending.items():
        if not questions:
            continue
        place = (one, method, data)
        fitted: Fitted | str
        if isinstance(shown, str):
            fitted = shown
        elif kept is not None and place in kept:
            fitted = kept[place]
        else:
            fitted = guarded(partial(_fit, plan.methods[method], one, *shown), debug)
        if kept is not None and not isinstance(fitted, str):
            kept[place] = fitted
        for key, there in questions:
            if isinstance(fitted, str):
                yield _failure(key, there, one, data, fitted)
            else:
                yield _answer(plan, one, key, there, data, fitted, debug)


def _shown(source: PictureSet, one: Draw) -> tuple[list[Reference], list[Negative]]:
    references = [source.read(name, one.label).as_reference() for name in one.supports]
    negatives = [Negative(source.read(name, one.label).picture) for name in one.negatives]
    return references, negatives


def _fit(make: Maker, one: Draw, references: Sequence[Reference], negatives: Sequence[Negative]) -> Fitted:
    reset_peak()
    started = time.perf_counter()
    segmenter = make(one.seed)
    segmenter.fit(references, negatives)
    seconds = time.perf_counter() - started
    least = LEAST_SHARE * min(one.mask.coverage for one in references)
    return Fitted(segmenter, seconds, peak_mib(), least)


def _answer(plan: Plan, one: Draw, key: Key, there: bool, data: str, fitted: Fitted, debug: bool) -> Line:
    def work() -> Line:
        example = plan.views[key.view](plan.source.read(key.picture, key.label))
        reset_peak()
        started = time.perf_counter()
        found = fitted.segmenter.predict(example.picture)
        seconds = time.perf_counter() - started
        peaks = [value for value in (fitted.peak, peak_mib()) if value is not None]
        if found.size != example.picture.size:
            raise InputError(
                f"the answer is {found.size}, the picture {example.picture.size} (height, width)"
            )
        return Line(
            key,
            # A view may push the object out of the picture.
            there and not example.mask.is_empty,
            one.supports,
            one.negatives,
            data,
            score_answer(found, example, fitted.least),
            fitted.seconds,
            seconds,
            max(peaks, default=None),
            dict(found.provenance),
        )

    line = guarded(work, debug)
    return _failure(key, there, one, data, line) if isinstance(line, str) else line


def guarded(work: Callable[[], T], debug: bool) -> T | str:
    """What the work gives, or in a line why it does not.

    Raises:
        UsageError: as the work does: it would be the same for every picture.
    """
    try:
        return work()
    except UsageError:
        raise
    except KiridashiError as error:
        return one_line(str(error))
    # A defect that one picture brings out must not cost the results of the others.
    except Exception as error:
        if debug:
            raise
        return one_line(f"unexpected {type(error).__name__}: {reason_of(error)}")


def _failure(key: Key, there: bool, one: Draw, data: str, reason: str) -> Line:
    return Line(key, there, one.supports, one.negatives, data, error=reason)


def _as_it_is(example: Example) -> Example:
    return example
