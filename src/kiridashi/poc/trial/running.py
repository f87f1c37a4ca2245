"""Work off the units of a use case, line by line, as far as the time goes."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from kiridashi.evaluate.pictures import Key, Line, Plan, measure
from kiridashi.evaluate.pictures.measuring import Kept, Maker, View
from kiridashi.evaluate.pictures.twins import Twins, find_twins
from kiridashi.poc.site import UseCase
from kiridashi.poc.trial import growing
from kiridashi.poc.trial.growing import GrowingMaker, Lesson
from kiridashi.poc.trial.schedule import GROWING, TRANSFORMING, Unit, part_of, units
from kiridashi.poc.trial.source import SiteSet
from kiridashi.poc.trial.views import views

Clock = Callable[[], float]
# Of the time for a use case, what stages 3 and 4 are left with.
ROBUSTNESS_SHARE, GROWING_SHARE = 0.15, 0.1
# If that is less: so many times what as many answers, or looks at samples, took the slowest method so far.
ROBUSTNESS_MARGIN, GROWING_MARGIN = 1.5, 3.0


class Store(Protocol):
    """Keeps lines for good, and knows those of an earlier run."""

    def get(self, key: Key) -> Line | None:
        """The line of a question and method, if there is one."""
        ...

    def append(self, line: Line) -> None:
        """Keep a line."""
        ...


class Tell(Protocol):
    """Hears what is going on."""

    def __call__(self, event: str, /, **facts: object) -> None:
        """An event with its facts."""
        ...


def _nobody(_event: str, /, **_facts: object) -> None:
    """Nobody listens."""


@dataclass(frozen=True)
class Stop:
    """When to stop.

    Attributes:
        at: reading of the clock; None: never.
        clock: seconds.
    """

    at: float | None = None
    clock: Clock = time.monotonic

    @property
    def left(self) -> float:
        """Seconds; infinite without an end."""
        return float("inf") if self.at is None else self.at - self.clock()

    def earlier(self, seconds: float) -> "Stop":
        """The same, sooner."""
        return self if self.at is None else Stop(self.at - seconds, self.clock)


@dataclass(eq=False)
class Trial:
    """The trial of one use case.

    Attributes:
        case: what the site asks for.
        source: its pictures.
        makers: of the methods, by name.
        store: of the lines.
        seed: the first of the draws.
        step: called after each line.
        tell: hears of units begun, done and left out.
        debug: let defects through instead of noting them.
        growing: an empty list of classes for stage 4; None: there is no such stage.
        left_out: units that time did not allow.
    """

    case: UseCase
    source: SiteSet
    makers: Mapping[str, Maker]
    store: Store
    seed: int = 0
    step: Callable[[], None] = lambda: None
    tell: Tell = _nobody
    debug: bool = False
    growing: GrowingMaker | None = None
    left_out: list[Unit] = field(default_factory=list)
    _twins: tuple[str, Twins] | None = field(default=None, init=False, repr=False)
    _kept: Kept = field(default_factory=dict, init=False, repr=False)

    @property
    def plan(self) -> Plan:
        """All of stages 1 and 2."""
        budget = self.case.budget
        methods = {name: self.makers[name] for name in self.case.methods}
        seeds = range(self.seed, self.seed + budget.repeats)
        return Plan(
            self.source,
            methods,
            budget.shots,
            seeds,
            budget.good_shots,
            budget.test_pictures,
            known_twins=self.twins,
        )

    @property
    def twins(self) -> Twins:
        """Pictures that look the same; every picture is read once for all plans."""
        data = self.source.fingerprint
        if self._twins is None or self._twins[0] != data:
            self._twins = data, find_twins(self.source)
        return self._twins[1]

    @property
    def shots(self) -> list[int]:
        """Numbers of shots for which at least one class has enough pictures."""
        return sorted({draw.shots for draw in self.plan.draws()})

    def units(self) -> list[Unit]:
        """Of stages 1 and 2, in order."""
        return units(self.case.methods, self.shots, list(self.plan.seeds))

    def questions(self) -> list[Key]:
        """Of stages 1 and 2."""
        return self.plan.keys()

    def compare(self, stop: Stop) -> None:
        """Stages 1 and 2, as far as the time goes.

        Raises:
            UsageError: a class has too few pictures, or a method refuses how it is used.
        """
        whole = max(stop.left, 0)
        for unit in self.units():
            self._unit(self.plan, unit, None, _sooner(stop, sum(self._reserves(whole))))

    def transformed(self, method: str, shots: int) -> Unit:
        """The unit of stage 3."""
        return Unit(TRANSFORMING, shots, self.seed, method)

    def transform(self, method: str, shots: int, stop: Stop) -> None:
        """Stage 3 for one method: its test pictures under every transformation."""
        if self.views:
            plan = self._with_views(method)
            few = self.case.budget.robustness_pictures
            _, growing = self._reserves(max(stop.left, 0) / (ROBUSTNESS_SHARE + GROWING_SHARE))
            ends = _sooner(stop, growing)
            self._unit(plan, self.transformed(method, shots), few, ends)
        self._kept.clear()

    def transform_keys(self, method: str, shots: int) -> list[Key]:
        """Of stage 3."""
        if not self.views:
            return []
        unit, plan = self.transformed(method, shots), self._with_views(method)
        part = part_of(plan, unit, self.case.budget.robustness_pictures)
        return part.keys()

    @property
    def lessons(self) -> list[Lesson]:
        """Of stage 4: the classes in order; none where nobody asked, or for a single class."""
        most = self.case.budget.forgetting_pictures
        if self.growing is None or not most or len(self.source.classes) < 2:
            return []
        return growing.lessons(self.plan, self.source.free, most)

    def grow(self, stop: Stop) -> None:
        """Stage 4: the classes one after another, all in one list."""
        lessons = self.lessons
        if self.growing is not None and lessons:
            made = growing.ask(self.source, lessons, self.growing, self._has_grown, debug=self.debug)
            self._work(self.grown(lessons), self.growing_keys(), self._not_grown(), made, stop)

    def grown(self, lessons: Sequence[Lesson]) -> Unit:
        """The unit of stage 4."""
        return Unit(GROWING, max(len(one.shots) for one in lessons), self.seed, growing.METHOD)

    def growing_keys(self) -> list[Key]:
        """Of stage 4."""
        return growing.keys_of(self.source, self.lessons)

    @property
    def views(self) -> dict[str, View]:
        """Of stage 3; none where nobody asked."""
        budget = self.case.budget
        if not budget.robustness_pictures:
            return {}
        return views(self.case.robustness, budget.severities, self.seed)

    def _with_views(self, method: str) -> Plan:
        plan = self.plan
        made = {method: plan.methods[method]}
        return replace(plan, methods=made, views=self.views)

    def is_done(self, unit: Unit) -> bool:
        """Whether every question of a unit of stage 1 or 2 has a line."""
        keys = part_of(self.plan, unit).keys()
        return bool(keys) and all(self.store.get(key) is not None for key in keys)

    def _unit(self, plan: Plan, unit: Unit, few: int | None, stop: Stop) -> None:
        part = part_of(plan, unit, few)
        asked = part.keys()
        pending = [key for key in asked if not self._has(key)]
        # What stage 3 asks again need not learn again.
        is_asked_again = bool(self.views) and (unit.shots, unit.seed) == (max(self.shots), self.seed)
        kept = self._kept if is_asked_again else None
        self._work(unit, asked, pending, measure(part, self.store.get, kept=kept, debug=self.debug), stop)

    def _work(
        self, unit: Unit, asked: Sequence[Key], pending: Sequence[Key], lines: Iterable[Line], stop: Stop
    ) -> None:
        if not pending:
            return
        needed = self._estimate(unit, asked, len(pending))
        if needed > stop.left:
            self._leave(unit, "no time", needed)
            return
        self.tell("begin", unit=unit.name, stage=unit.stage, answers=len(pending))
        started = stop.clock()
        for line in lines:
            self.store.append(line)
            self.step()
            if stop.left < 0:
                self._leave(unit, "stopped")
                return
        self.tell("done", unit=unit.name, stage=unit.stage, seconds=round(stop.clock() - started, 3))

    def _has(self, key: Key) -> bool:
        line = self.store.get(key)
        return line is not None and line.error is None and line.data == self.source.fingerprint

    def _not_grown(self) -> list[Key]:
        return [key for key in self.growing_keys() if not self._has_grown(key)]

    def _has_grown(self, key: Key) -> bool:
        line = self.store.get(key)
        return self._has(key) and line is not None and growing.is_whole(line)

    def _estimate(self, unit: Unit, keys: Sequence[Key], pending: int) -> float:
        """Seconds that a unit will take, by what its method took before; 0 where that is not known."""
        every = keys if unit.stage == GROWING else self.questions()
        known = [line for key in every if (line := self.store.get(key)) and key.method == unit.method]
        if not known:
            return 0.0
        fits = len({key.label for key in keys} - self._taught(unit))
        # From more shots it may take longer; but what takes long goes by steps rather than by shots.
        nearest = [line for line in known if line.key.shots == unit.shots] or known
        learning = {line.key.label: line.fit_seconds for line in nearest}
        answer = sum(line.predict_seconds for line in known) / len(known)
        return fits * sum(learning.values()) / len(learning) + pending * answer

    def _taught(self, unit: Unit) -> set[str]:
        """The classes that a unit's method has learned, and has not forgotten yet."""
        asked = (unit.method, unit.shots, unit.seed)
        return {one.label for one, method, _ in self._kept if (method, one.shots, one.seed) == asked}

    def _reserves(self, whole: float) -> tuple[float, float]:
        """Seconds to keep for stages 3 and 4, of so many in all."""
        slowest = self._slowest()
        answers = len(self.transform_keys(self.case.methods[0], max(self.shots)))
        robustness = ROBUSTNESS_MARGIN * answers * slowest if answers else 0.0
        looks = sum(len(one.shots) + len(one.tests) for one in self.lessons) if self._not_grown() else 0
        growing = GROWING_MARGIN * looks * slowest if looks else 0.0
        return min(ROBUSTNESS_SHARE * whole, robustness), min(GROWING_SHARE * whole, growing)

    def _slowest(self) -> float:
        """Seconds an answer of the slowest method so far; infinite where none is known."""
        seconds: dict[str, list[float]] = {}
        for key in self.questions():
            line = self.store.get(key)
            if line is not None and line.error is None:
                seconds.setdefault(key.method, []).append(line.predict_seconds)
        return max((sum(some) / len(some) for some in seconds.values()), default=float("inf"))

    def _leave(self, unit: Unit, why: str, seconds: float | None = None) -> None:
        if unit not in self.left_out:
            self.left_out.append(unit)
        self.tell("left out", unit=unit.name, stage=unit.stage, why=why, estimate=seconds)


def _sooner(stop: Stop, seconds: float) -> Stop:
    return stop if stop.at is None else stop.earlier(seconds)
