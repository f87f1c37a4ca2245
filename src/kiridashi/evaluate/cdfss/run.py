"""Episodes times methods: every answer is scored and handed over as one line before the next is asked for."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from kiridashi.core.errors import KiridashiError, UsageError
from kiridashi.data.files import one_line, reason_of
from kiridashi.evaluate.answering import Factory, Prediction, answer
from kiridashi.evaluate.cdfss.lines import Key, Line
from kiridashi.evaluate.cdfss.tasks import Task
from kiridashi.evaluate.cdfss.voting import answer_by_vote
from kiridashi.evaluate.episodes import Episode, Example
from kiridashi.evaluate.metrics import overlap
from kiridashi.evaluate.peak_memory import peak_mib, reset_peak


class Store(Protocol):
    """Takes the lines of a run, and knows those of an earlier one."""

    def get(self, key: Key) -> Line | None:
        """The line of an episode and method, if there is one."""
        ...

    def append(self, line: Line) -> None:
        """Keep a line for good; it takes the place of an earlier one of its key."""
        ...


@dataclass(frozen=True, eq=False)
class Plan:
    """What to run.

    Attributes:
        tasks: the sets.
        methods: by name, makers of unfitted methods; their verdict of presence and their split into
            instances should be off, for every query holds the class and is scored as one mask.
        shots: numbers of supports.
        episodes: a set and number of shots; None for as many as the rule of each set takes.
        seeds: one a run.
        by_vote: K shots as K answers and a vote; otherwise a method learns from all K at once.
    """

    tasks: Sequence[Task]
    methods: Mapping[str, Factory]
    shots: Sequence[int] = (1,)
    episodes: int | None = None
    seeds: Sequence[int] = (0,)
    by_vote: bool = False

    def __post_init__(self) -> None:
        for name, values in (("shots", self.shots), ("seeds", self.seeds)):
            if not values or len(set(values)) != len(values):
                raise UsageError(f"{name}: expected different numbers, got {list(values)}")
        if not self.tasks or not self.methods:
            raise UsageError("a run needs at least one set and one method")

    def runs(self) -> Iterator[tuple[Task, int, int, list[Episode]]]:
        """(task, shots, seed, episodes) in order.

        Raises:
            UsageError: shots or episodes below 1.
        """
        for task in self.tasks:
            for shots in self.shots:
                for seed in self.seeds:
                    yield task, shots, seed, task.draw(shots, self.episodes, seed)

    def keys(self) -> list[Key]:
        """One for each line that the run will have, in order."""
        return [
            Key(task.name, shots, seed, episode.index, method)
            for task, shots, seed, episodes in self.runs()
            for episode in episodes
            for method in self.methods
        ]

    def pending(self, store: Store) -> int:
        """Number of lines that are still to be made."""
        return sum(
            len(_pending(self, store, task, shots, seed, episode))
            for task, shots, seed, episodes in self.runs()
            for episode in episodes
        )


def run(plan: Plan, store: Store, *, step: Callable[[], None] = lambda: None, debug: bool = False) -> None:
    """Make every line that the store does not have yet.

    An episode or method that fails is kept with its reason, and the others go on.

    Args:
        plan: what to run.
        store: takes the lines.
        step: called after each line.
        debug: let defects through instead of noting them.

    Raises:
        UsageError: a method refuses how it is used (a model without a memory, for instance): that would
            be the same for every episode.
    """
    for task, shots, seed, episodes in plan.runs():
        for episode in episodes:
            pending = _pending(plan, store, task, shots, seed, episode)
            if pending:
                _episode(plan, store, task, episode, pending, step, debug)


def _pending(plan: Plan, store: Store, task: Task, shots: int, seed: int, episode: Episode) -> list[Key]:
    keys = [Key(task.name, shots, seed, episode.index, method) for method in plan.methods]
    return [key for key in keys if not _is_done(store.get(key), task, episode)]


def _is_done(line: Line | None, task: Task, episode: Episode) -> bool:
    return line is not None and line.answers(episode, task.fingerprint)


def _episode(
    plan: Plan,
    store: Store,
    task: Task,
    episode: Episode,
    pending: Sequence[Key],
    step: Callable[[], None],
    debug: bool,
) -> None:
    try:
        query = task.read(episode.query, episode.label)
        # Supports may repeat.
        pictures = {name: task.read(name, episode.label) for name in dict.fromkeys(episode.supports)}
        supports = [pictures[name] for name in episode.supports]
    except KiridashiError as error:
        for key in pending:
            store.append(_failure(key, episode, task, str(error)))
            step()
        return
    for key in pending:
        store.append(_line(plan, task, episode, key, supports, query, debug))
        step()


def _line(
    plan: Plan,
    task: Task,
    episode: Episode,
    key: Key,
    supports: Sequence[Example],
    query: Example,
    debug: bool,
) -> Line:
    try:
        reset_peak()
        prediction = _predict(plan, key.method, supports, query)
        peak = peak_mib()
        counts = overlap(prediction.mask.to_array(), query.mask.to_array(), query.ignore.to_array())
    except UsageError:
        raise
    except KiridashiError as error:
        return _failure(key, episode, task, str(error))
    # A defect that one episode brings out must not cost the results of the others.
    except Exception as error:
        if debug:
            raise
        return _failure(key, episode, task, f"unexpected {type(error).__name__}: {reason_of(error)}")
    return Line(
        key,
        episode,
        task.fingerprint,
        counts,
        prediction.mask,
        prediction.fit_seconds,
        prediction.predict_seconds,
        peak,
        prediction.provenance,
    )


def _predict(plan: Plan, method: str, supports: Sequence[Example], query: Example) -> Prediction:
    references = [support.as_reference() for support in supports]
    factory = plan.methods[method]
    if plan.by_vote:
        return answer_by_vote(factory, references, query.picture)
    return answer(factory(), references, query.picture)


def _failure(key: Key, episode: Episode, task: Task, reason: str) -> Line:
    return Line(key, episode, task.fingerprint, error=one_line(reason))
