"""Clips times trackers: each clip is followed frame by frame and scored as it goes.

What is kept of a clip are its values, so that long clips take no more memory than short ones. A network
uses all cores by itself and has the machine to itself; the other trackers follow several clips at once.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from threading import Event
from typing import Protocol

from kiridashi.core.errors import InputError, KiridashiError, UsageError
from kiridashi.data.files import one_line, reason_of
from kiridashi.evaluate.clips import Clip
from kiridashi.evaluate.metrics.j_and_f import score_frame
from kiridashi.evaluate.vos.lines import Key, Line, ObjectScore
from kiridashi.evaluate.vos.sets import LEAST_FRAMES, VosSet, objects_in, read_frame
from kiridashi.evaluate.vos.trackers import Method


class Store(Protocol):
    """Takes the lines of a run, and knows those of an earlier one."""

    def get(self, key: Key) -> Line | None:
        """The line of a clip and tracker, if there is one."""
        ...

    def append(self, line: Line) -> None:
        """Keep a line for good; it takes the place of an earlier one of its key."""
        ...


@dataclass(frozen=True, eq=False)
class Task:
    """One tracker on one clip.

    Attributes:
        source: the set of the clip.
        clip: to follow.
        method: the tracker.
    """

    source: VosSet
    clip: Clip
    method: Method

    @property
    def key(self) -> Key:
        """Of its line."""
        return Key(self.source.name, self.clip.name, self.method.name)

    @property
    def data(self) -> str:
        """Fingerprint of all that its line depends on."""
        answers = self.method.answers(self.clip)
        return self.source.fingerprint(self.clip) + (f"+{answers}" if answers else "")


@dataclass(frozen=True, eq=False)
class Plan:
    """What to run.

    Attributes:
        sets: where clips come from.
        methods: trackers, in order.
        threads: clips followed at once by trackers that do not need the machine alone.

    Raises:
        UsageError: no set, no tracker, one of either twice, or no thread.
    """

    sets: Sequence[VosSet]
    methods: Sequence[Method]
    threads: int = 1

    def __post_init__(self) -> None:
        for name, values in (
            ("sets", [one.name for one in self.sets]),
            ("methods", [one.name for one in self.methods]),
        ):
            if not values or len(set(values)) != len(values):
                raise UsageError(f"{name}: expected one or more, all different, got {values}")
        if self.threads < 1:
            raise UsageError(f"expected one thread or more, got {self.threads}")

    def tasks(self) -> list[Task]:
        """All of them, clip by clip."""
        return [
            Task(source, clip, method)
            for source in self.sets
            for clip in source.clips
            for method in self.methods
        ]

    def keys(self) -> list[Key]:
        """One for each line that the run will have, in order."""
        return [task.key for task in self.tasks()]

    def pending(self, store: Store) -> list[Task]:
        """The tasks whose lines are still to be made."""
        return [task for task in self.tasks() if not _is_done(store.get(task.key), task)]


def run(plan: Plan, store: Store, *, step: Callable[[], None] = lambda: None, debug: bool = False) -> None:
    """Make every line that the store does not have yet.

    A clip that fails is kept with its reason, and the others go on.

    Args:
        plan: what to run.
        store: takes the lines; called from this thread only.
        step: called after each line.
        debug: let defects through instead of noting them.

    Raises:
        UsageError: a tracker refuses how it is used: that would be the same everywhere.
    """
    pending = plan.pending(store)
    alone = [task for task in pending if task.method.alone]
    others = [task for task in pending if not task.method.alone]
    for line in _lines(alone, others, plan.threads, debug):
        store.append(line)
        step()


def _lines(alone: Sequence[Task], others: Sequence[Task], threads: int, debug: bool) -> Iterator[Line]:
    stop = Event()
    for task in alone:
        yield _line(task, stop, debug)
    with ThreadPoolExecutor(threads, thread_name_prefix="vos") as pool:
        futures: list[Future[Line]] = [pool.submit(_line, task, stop, debug) for task in others]
        try:
            for future in as_completed(futures):
                yield future.result()
        finally:
            # Whoever stops listening must not wait for clips that nobody wants any more.
            stop.set()
            pool.shutdown(cancel_futures=True)


def _is_done(line: Line | None, task: Task) -> bool:
    return line is not None and line.is_of(task.data)


class _Stopped(Exception):  # noqa: N818 (not an error)
    """Nobody waits for this clip any more."""


def _line(task: Task, stop: Event, debug: bool) -> Line:
    data = task.data
    try:
        objects, seconds = _follow(task, stop)
    except UsageError:
        raise
    except KiridashiError as error:
        return Line(task.key, data, error=one_line(str(error)))
    # A defect that one clip brings out must not cost the results of the others.
    except Exception as error:
        if debug or isinstance(error, _Stopped):
            raise
        return Line(task.key, data, error=one_line(f"unexpected {type(error).__name__}: {reason_of(error)}"))
    return Line(task.key, data, objects, seconds)


def _follow(task: Task, stop: Event) -> tuple[tuple[ObjectScore, ...], float]:
    """The scores of every object, and the seconds that the tracker took after the first frame."""
    clip = task.clip
    if len(clip) < LEAST_FRAMES:
        raise InputError(
            f"{clip.name}: {len(clip)} frames; the first is given and the last does not count, so that it "
            f"takes {LEAST_FRAMES}"
        )
    picture, labels = read_frame(clip, 0)
    objects = objects_in(labels)
    if not objects:
        raise InputError(f"{clip.masks[0]}: nothing is marked in the first frame, so nothing can be followed")
    follow = task.method.start(clip, picture, labels, objects)
    scores: list[list[tuple[float, float, bool]]] = [[] for _ in objects]
    seconds = 0.0
    for index in range(1, len(clip)):
        if stop.is_set():
            raise _Stopped
        picture, truth = read_frame(clip, index)
        began = time.perf_counter()
        found = follow(picture)
        seconds += time.perf_counter() - began
        j, f = score_frame(found, truth, objects)
        for place, value in enumerate(objects):
            scores[place].append((float(j[place]), float(f[place]), bool((truth == value).any())))
    return tuple(_object(value, rows) for value, rows in zip(objects, scores, strict=True)), seconds


def _object(label: int, rows: Sequence[tuple[float, float, bool]]) -> ObjectScore:
    j, f, there = zip(*rows, strict=True)
    return ObjectScore(label, j, f, there)
