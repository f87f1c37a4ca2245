"""Runs the protocol: draws, additions, detections and their average precision.

Every test picture is looked at once; all draws and methods answer from the same proposals and embeddings, so
that what is compared is how classes are learned from them.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np

from kiridashi.core.errors import UsageError
from kiridashi.evaluate.ifsis.drawing import draw_instances
from kiridashi.evaluate.ifsis.instances import Instance, InstanceSet, MarkedPicture, labels_of
from kiridashi.evaluate.ifsis.looking import Eye, Look, Vectors, background_of
from kiridashi.evaluate.ifsis.scoring import targets_of, without_ignored
from kiridashi.evaluate.ifsis.splits import Split
from kiridashi.evaluate.metrics.average_precision import (
    Answer,
    Precision,
    Shape,
    Target,
    average_precision,
)

# The novel classes alone, or base and novel classes together.
SETTINGS = ("novel", "all")


class Found(NamedTuple):
    """One detection.

    Attributes:
        place: of its mask among the proposals.
        label: its class.
        score: the higher the surer.
    """

    place: int
    label: str
    score: float


class Detects(Protocol):
    """A detector whose classes grow."""

    def start(self, base: Mapping[str, Vectors], background: Vectors) -> Any:
        """Learn base classes, maybe none, from (K, D) shots, and the background from (M, D) samples."""
        ...

    def add(self, label: str, shots: Vectors) -> Any:
        """Learn one class more from (K, D) shots."""
        ...

    def detect(self, look: Look) -> Sequence[Found]:
        """The objects among the proposals of a picture."""
        ...


Factory = Callable[[], Detects]


@dataclass(frozen=True, eq=False)
class Plan:
    """What to run.

    Attributes:
        train: where shots come from.
        test: where it is measured; may be the same set, then a picture with a shot of a seed is no test
            picture of that seed, for none of its numbers of shots.
        split: base and novel classes.
        methods: by name, makers of detectors that know nothing yet.
        shots: numbers K of instances of each novel class.
        seeds: of the draws.
        base_shots: instances of each base class; None: all of the train set.
        settings: of `SETTINGS`.

    Raises:
        UsageError: a value that cannot be, or a class that a set does not have.
    """

    train: InstanceSet
    test: InstanceSet
    split: Split
    methods: Mapping[str, Factory]
    shots: Sequence[int] = (1, 5, 10)
    seeds: Sequence[int] = tuple(range(10))
    base_shots: int | None = None
    settings: Sequence[str] = SETTINGS

    def __post_init__(self) -> None:
        for what, values in (("shots", self.shots), ("seeds", self.seeds), ("settings", self.settings)):
            if not values or len(set(values)) != len(values):
                raise UsageError(f"{what}: expected one or more, all different, got {list(values)}")
        if not self.methods or set(self.settings) - set(SETTINGS):
            raise UsageError(f"a run needs a method, and settings of {', '.join(SETTINGS)}")
        for source in (self.train, self.test):
            self.split.require(labels_of(source), source.name)
        if self.base_shots is None and self.train is self.test:
            raise UsageError("all base instances of the test set as shots leave none to test; say how many")


@dataclass(frozen=True)
class Outcome:
    """What one method reached after one draw.

    Attributes:
        method: its name.
        seed: of the draw.
        shots: K; 0: before any novel class.
        setting: of `SETTINGS`.
        precision: by class, of those of which the test pictures hold an instance.
        add_seconds: of adding one class, without embedding its shots, the mean over the novel classes.
        pictures: number of test pictures.
    """

    method: str
    seed: int
    shots: int
    setting: str
    precision: Mapping[str, Precision]
    add_seconds: float
    pictures: int


@dataclass(frozen=True, eq=False)
class _Draw:
    """The shots of a seed: (K, D) vectors by class, novel ones of the largest K, and the background."""

    base: Mapping[str, Vectors]
    novel: Mapping[str, Vectors]
    background: Vectors
    tests: frozenset[str]


@dataclass(eq=False)
class _Candidate:
    """A detector that has learned, and what it has found so far."""

    method: str
    seed: int
    shots: int
    setting: str
    labels: Sequence[str]
    detector: Detects
    add_seconds: float
    seen: list[tuple[Sequence[Target], Sequence[Answer]]] = field(default_factory=list)

    def outcome(self) -> Outcome:
        precision = average_precision(self.seen, self.labels)
        return Outcome(
            self.method, self.seed, self.shots, self.setting, precision, self.add_seconds, len(self.seen)
        )


def run(plan: Plan, eye: Eye, *, step: Callable[[str], None] = lambda _: None) -> list[Outcome]:
    """Every method with every draw.

    Base classes are learned from `base_shots` instances each, drawn like those of novel classes. The
    background is what the proposals of the pictures of those instances show beside the objects of base
    classes; objects of novel classes that nobody has marked there are background, as in SAM-IF's training.

    Args:
        plan: what to run.
        eye: makes proposals and embeddings.
        step: called with a word on each picture.

    Returns:
        One outcome a method, seed, setting and number of shots, and those before novel classes came (with
        0 shots) where the setting is "all".

    Raises:
        UsageError: too few instances, or a draw that leaves a class without a test picture.
        InputError: a picture or annotation cannot be used.
    """
    desk = _Desk(plan, eye, step)
    draws = {seed: desk.draw(seed) for seed in plan.seeds}
    candidates = [one for seed, draw in draws.items() for one in _candidates(plan, seed, draw)]
    for picture in plan.test.instances:
        asked = [one for one in candidates if picture in draws[one.seed].tests]
        if asked:
            step(f"test {picture}")
            _ask(asked, desk, picture)
    return [one.outcome() for one in candidates]


class _Desk:
    """Reads and looks at pictures, and keeps what a later step needs again."""

    def __init__(self, plan: Plan, eye: Eye, step: Callable[[str], None]) -> None:
        self.plan, self.eye, self.step = plan, eye, step
        self._vectors: dict[Instance, Vectors] = {}
        self._backgrounds: dict[str, Vectors] = {}
        self._looks: dict[str, Look] = {}

    def draw(self, seed: int) -> _Draw:
        plan = self.plan
        shots = {
            label: draw_instances(
                plan.train, label, plan.base_shots if label in plan.split.base else max(plan.shots), seed
            )
            for label in plan.split.labels
        }
        taken = {one.picture for every in shots.values() for one in every}
        tests = [name for name in plan.test.instances if plan.train is not plan.test or name not in taken]
        _check_tests(plan, seed, tests)
        base_pictures = dict.fromkeys(one.picture for label in plan.split.base for one in shots[label])
        for picture in dict.fromkeys([*base_pictures, *sorted(taken)]):
            self._learn(picture, {one for every in shots.values() for one in every}, picture in base_pictures)
        vectors = {label: np.stack([self._vectors[one] for one in every]) for label, every in shots.items()}
        return _Draw(
            {label: vectors[label] for label in plan.split.base},
            {label: vectors[label] for label in plan.split.novel},
            np.concatenate([self._backgrounds[picture] for picture in base_pictures]),
            frozenset(tests),
        )

    def look(self, picture: str, marked: MarkedPicture) -> Look:
        look = self._looks.get(picture) or self.eye.look(marked.picture)
        if self.plan.train is self.plan.test:
            self._looks[picture] = look
        return look

    def _learn(self, picture: str, wanted: set[Instance], with_background: bool) -> None:
        here = self.plan.train.instances[picture]
        missing = [one for one in here if one in wanted and one not in self._vectors]
        lacking = with_background and picture not in self._backgrounds
        if not missing and not lacking:
            return
        self.step(f"train {picture}")
        marked = self.plan.train.read(picture)
        masks = [marked.masks[one.number] for one in missing]
        self._vectors |= zip(missing, self.eye.embed(marked.picture, masks), strict=True)
        if lacking:
            known = [marked.masks[one.number] for one in here if one.label in self.plan.split.base]
            look = self.look(picture, marked)
            self._backgrounds[picture] = background_of(look, [*known, marked.ignore])


def _check_tests(plan: Plan, seed: int, tests: Sequence[str]) -> None:
    left = {one.label for name in tests for one in plan.test.instances[name] if not one.crowd}
    for label in plan.split.labels:
        if label not in left:
            raise UsageError(
                f"seed {seed}: no test picture with {label!r} is left; ask for fewer shots, or test on "
                "another set"
            )


def _candidates(plan: Plan, seed: int, draw: _Draw) -> Iterator[_Candidate]:
    for method, factory in plan.methods.items():
        for setting in plan.settings:
            together = setting == "all"
            labels = plan.split.labels if together else plan.split.novel
            for shots in [0, *plan.shots] if together else plan.shots:
                detector = factory()
                detector.start(draw.base if together else {}, draw.background)
                seconds = _add(detector, draw.novel, shots) if shots else 0.0
                known = labels if shots else plan.split.base
                yield _Candidate(method, seed, shots, setting, known, detector, seconds)


def _add(detector: Detects, novel: Mapping[str, Vectors], shots: int) -> float:
    began = time.perf_counter()
    for label, vectors in novel.items():
        detector.add(label, vectors[:shots])
    return (time.perf_counter() - began) / len(novel)


def _ask(candidates: Sequence[_Candidate], desk: _Desk, picture: str) -> None:
    marked = desk.plan.test.read(picture)
    look = desk.look(picture, marked)
    targets = targets_of(marked, desk.plan.test.instances[picture])
    masks = [without_ignored(mask, marked.ignore) for mask in look.masks]
    shapes = [None if mask.is_empty else Shape.of(mask) for mask in masks]
    for one in candidates:
        answers = [
            Answer(shape, label, score)
            for place, label, score in one.detector.detect(look)
            if (shape := shapes[place]) is not None
        ]
        one.seen.append((targets, answers))
