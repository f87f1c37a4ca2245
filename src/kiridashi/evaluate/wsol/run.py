"""Trials times methods: every answer is scored and handed over as one line before the next is asked for.

What learns learns once a trial, from labels alone, and only when one of its answers is missing. All methods
answer from that one network.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Protocol

from kiridashi.core.errors import KiridashiError, UsageError
from kiridashi.core.picture import Picture
from kiridashi.data.files import one_line, reason_of
from kiridashi.data.pictures import read_picture
from kiridashi.evaluate.wsol.answers import Lesson, Localises, Teaches
from kiridashi.evaluate.wsol.items import Item, Target, WsolSet
from kiridashi.evaluate.wsol.lines import TEST, TUNE, Key, Line
from kiridashi.evaluate.wsol.scoring import score
from kiridashi.evaluate.wsol.splits import Splitting, Trial, trials

# Of Choe et al. and of DeiT.
PUBLISHED_SIDE = 224


class Store(Protocol):
    """Takes the lines of a run, and knows those of an earlier one."""

    def get(self, key: Key) -> Line | None:
        """The line of a question and method, if there is one."""
        ...

    def append(self, line: Line) -> None:
        """Keep a line for good; it takes the place of an earlier one of its key."""
        ...


@dataclass(frozen=True, eq=False)
class Plan:
    """What to run.

    Attributes:
        sets: where pictures come from.
        methods: names, in order; those that `ready` does not have are taught.
        teach: fits what the other methods answer from.
        ready: methods that need no learning, by name.
        splitting: how sets are divided.
        seeds: one trial, or one of each fold, a seed.
        side: pixels each way at which it is measured; None: each picture's own size.
        folder: for what is learned.

    Raises:
        UsageError: no set, no method, or one of either twice.
    """

    sets: Sequence[WsolSet]
    methods: Sequence[str]
    teach: Teaches
    ready: Mapping[str, Localises]
    folder: Path
    splitting: Splitting = field(default_factory=Splitting)
    seeds: Sequence[int] = (0,)
    side: int | None = PUBLISHED_SIDE

    def __post_init__(self) -> None:
        for name, values in (
            ("sets", [one.name for one in self.sets]),
            ("methods", self.methods),
            ("seeds", self.seeds),
        ):
            if not values or len(set(values)) != len(values):
                raise UsageError(f"{name}: expected one or more, all different, got {list(values)}")

    @cached_property
    def trials(self) -> list[Trial]:
        """All divisions of all sets.

        Raises:
            UsageError: a set does not have what is asked for.
        """
        return [
            trial
            for source in self.sets
            for seed in self.seeds
            for trial in trials(source, self.splitting, seed)
        ]

    def keys(self) -> list[Key]:
        """One for each line that the run will have, in order."""
        return [key for trial in self.trials for _, _, keys in _questions(self, trial) for key in keys]

    def pending(self, store: Store) -> int:
        """Number of lines that are still to be made."""
        return sum(
            not _is_done(store, key, trial)
            for trial in self.trials
            for _, _, keys in _questions(self, trial)
            for key in keys
        )


def run(plan: Plan, store: Store, *, step: Callable[[], None] = lambda: None, debug: bool = False) -> None:
    """Make every line that the store does not have yet.

    A picture or method that fails is kept with its reason, and the others go on.

    Args:
        plan: what to run.
        store: takes the lines.
        step: called after each line.
        debug: let defects through instead of noting them.

    Raises:
        UsageError: a method refuses how it is used, or does not exist: that would be the same everywhere.
        KiridashiError: what learns cannot learn from a trial.
    """
    for trial in plan.trials:
        lineup = _Lineup(plan, trial)
        for item, label, keys in _questions(plan, trial):
            pending = [key for key in keys if not _is_done(store, key, trial)]
            if pending:
                for line in _ask(plan, trial, lineup, item, label, pending, debug):
                    store.append(line)
                    step()


class _Lineup:
    """The methods of a trial; learning waits until one that needs it is asked."""

    def __init__(self, plan: Plan, trial: Trial) -> None:
        self._plan, self._trial = plan, trial
        self._taught: Mapping[str, Localises] | None = None

    def get(self, name: str) -> Localises:
        if name in self._plan.ready:
            return self._plan.ready[name]
        if self._taught is None:
            self._taught = self._plan.teach(self._lesson())
        if name not in self._taught:
            raise UsageError(f"no method named {name!r} was fitted; there are {', '.join(self._taught)}")
        return self._taught[name]

    def _lesson(self) -> Lesson:
        trial = self._trial
        pictures = tuple(item.weak for item in trial.learn)
        folder = self._plan.folder / trial.source.name / f"seed{trial.seed}-fold{trial.fold}"
        return Lesson(pictures, trial.classes, trial.seed, folder)


def _questions(plan: Plan, trial: Trial) -> Iterator[tuple[Item, str, list[Key]]]:
    """(picture, class, keys): each picture once for each of its classes, once with none where it has none.

    A class that no picture to learn from has is not asked for.
    """
    known = {"", *trial.classes}
    for part, items in ((TUNE, trial.tune), (TEST, trial.test)):
        for item in items:
            if item.labels and not item.marked:
                continue
            for label in [one for one in item.labels or ("",) if one in known]:
                question = (trial.source.name, trial.seed, trial.fold, part, item.id, label)
                yield item, label, [Key(*question, method) for method in plan.methods]


def _is_done(store: Store, key: Key, trial: Trial) -> bool:
    line = store.get(key)
    return line is not None and line.is_of(trial.source.fingerprint)


def _ask(
    plan: Plan, trial: Trial, lineup: _Lineup, item: Item, label: str, keys: Sequence[Key], debug: bool
) -> Iterator[Line]:
    data = trial.source.fingerprint
    try:
        picture = read_picture(item.path)
        truth = trial.source.truth(item, label, picture) if label else None
    except KiridashiError as error:
        for key in keys:
            yield Line(key, data, error=one_line(str(error)))
        return
    target = None if truth is None else Target.of(truth, picture.size, plan.side)
    for key in keys:
        # What cannot learn, or is not there, is no matter of this picture.
        method = lineup.get(key.method)
        try:
            yield _line(trial, method, item, picture, target, key)
        except UsageError:
            raise
        except KiridashiError as error:
            yield Line(key, data, error=one_line(str(error)))
        # A defect that one picture brings out must not cost the results of the others.
        except Exception as error:
            if debug:
                raise
            yield Line(key, data, error=one_line(f"unexpected {type(error).__name__}: {reason_of(error)}"))


def _line(
    trial: Trial, method: Localises, item: Item, picture: Picture, target: Target | None, key: Key
) -> Line:
    classes, data = trial.classes, trial.source.fingerprint
    asked = classes.index(key.label) if key.label else 0
    began = time.perf_counter()
    answer = method.answer(picture, asked)
    seconds = time.perf_counter() - began
    scores = answer.scores
    if scores is not None and len(scores) != len(classes):
        raise UsageError(f"{key.method} gives {len(scores)} scores, the set has {len(classes)} classes")
    surest = None if scores is None else float(scores.max())
    if target is None:
        return Line(key, data, None, surest, seconds, answer.note)
    others = {classes.index(label) for label in item.labels if label in classes and label != key.label}
    return Line(key, data, score(answer, target, asked, others), surest, seconds, answer.note)
