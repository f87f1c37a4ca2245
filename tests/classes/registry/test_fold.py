from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiridashi.classes.registry import Event, EventKind, RegistryState, Sample, changes
from kiridashi.classes.registry.changes import Bundle, Draft
from kiridashi.classes.registry.events import SampleKey
from kiridashi.classes.registry.fold import apply, fold
from kiridashi.classes.registry.naming import name_key
from kiridashi.core.errors import InputError, UsageError
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture

TIME = datetime(2026, 1, 1, tzinfo=UTC)
NAMES = ("bolt", "Bolt", "nut", "washer", "ネジ")
PICTURE, MASK = Picture(np.zeros((2, 2, 3), np.uint8)), Mask.from_array(np.ones((2, 2)))
Command = tuple[str, str, str, int, int]
commands = st.lists(
    st.tuples(
        st.sampled_from(
            ["add", "more", "remove", "rename", "threshold", "background", "roll-back", "rebuild"]
        ),
        st.sampled_from(NAMES),
        st.sampled_from(NAMES),
        st.integers(0, 3),
        st.integers(0, 30),
    ),
    max_size=25,
)


def samples(first: float, count: int, width: int) -> list[Sample]:
    return [Sample(PICTURE, MASK, np.full(width, first + each)) for each in range(count)]


class Log:
    """Events in memory, numbered as the file would."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.last_sample = 0
        self.write(changes.creation("m", "f0", 2), "m", "f0")

    @property
    def state(self) -> RegistryState:
        return fold(self.events)

    def write(self, draft: Draft, model: str, fingerprint: str) -> None:
        number = len(self.events) + 1
        identity = number if draft.kind is EventKind.ADD else draft.identity
        keys = [
            SampleKey(self.last_sample + place, kind, identity)
            for place, (kind, _) in enumerate(draft.samples, start=1)
        ]
        self.last_sample += len(keys)
        every = {key.id: key for event in self.events for key in event.samples}
        again = tuple(every[each] for each in draft.again)
        self.events.append(
            Event(
                number,
                draft.kind,
                TIME,
                "",
                "",
                draft.facts,
                draft.model or model,
                draft.fingerprint or fingerprint,
                (*keys, *again),
                draft.embeddings,
            )
        )


@dataclass
class Plain:
    """The same in plain lists, changed in place: what the fold must agree with."""

    classes: dict[str, dict[str, Any]] = field(default_factory=dict)
    background: list[tuple[int | None, float]] = field(default_factory=list)
    fingerprint: str = "f0"

    def find(self, name: str) -> str:
        if name in self.classes:
            return name
        return next(other for other in self.classes if other.lower() == name.lower())

    def add(self, number: int, name: str, value: float, count: int) -> None:
        if any(other.lower() == name.lower() for other in self.classes) or count == 0:
            raise StopIteration
        shots = [value + each for each in range(count)]
        self.classes[name] = {"identity": number, "shots": shots, "validation": [value], "threshold": 0.5}
        self.background.append((number, value))

    def more(self, name: str, value: float, count: int) -> None:
        found = self.classes[self.find(name)]
        if count == 0:
            raise StopIteration
        found["shots"] += [value + each for each in range(count)]

    def remove(self, name: str) -> None:
        gone = self.classes.pop(self.find(name))
        self.background = [each for each in self.background if each[0] != gone["identity"]]

    def rename(self, name: str, new: str) -> None:
        old = self.find(name)
        if new == old or any(new.lower() == other.lower() for other in self.classes if other != old):
            raise StopIteration
        self.classes = {new if key == old else key: value for key, value in self.classes.items()}

    def set_threshold(self, name: str, value: float) -> None:
        self.classes[self.find(name)]["threshold"] = value

    def add_background(self, value: float) -> None:
        self.background.append((None, value))

    def roll_back(self, past: "list[Plain]", to: int) -> None:
        if to == len(past):
            raise StopIteration
        self.__dict__.update(deepcopy(past[to - 1]).__dict__)

    def rebuild(self, fingerprint: str) -> None:
        self.fingerprint = fingerprint
        for each in self.classes.values():
            each.update(shots=[-v for v in each["shots"]], validation=[-v for v in each["validation"]])
            each["threshold"] = None
        self.background = [(owner, -value) for owner, value in self.background]


def seen(state: RegistryState) -> Plain:
    """A state in plain lists."""
    classes = {
        name: {
            "identity": each.identity,
            "shots": each.shots[:, 0].tolist(),
            "validation": each.validation[:, 0].tolist(),
            "threshold": each.threshold,
        }
        for name, each in state.classes.items()
    }
    owners = [key.identity for key in state.background_keys]
    background = list(zip(owners, state.background[:, 0].tolist(), strict=True))
    return Plain(classes, background, state.fingerprint)


def step(log: Log, plain: Plain, past: list[Plain], command: Command) -> tuple[Draft, Plain]:
    """One command on both; the plain side raises StopIteration where it must be refused."""
    verb, name, other, count, value = command
    state, number, plain = log.state, len(log.events) + 1, deepcopy(plain)
    shown, one = samples(value, count, state.width), samples(value, 1, state.width)
    to, vectors, model = value % len(log.events) + 1, vectors_of(state), f"f{number}"
    both: dict[str, tuple[Callable[[], object], Callable[[], Draft]]] = {
        "add": (
            partial(plain.add, number, name, value, count),
            partial(changes.addition, state, name, Bundle(shown, one, one), 0.5),
        ),
        "more": (
            partial(plain.more, name, value, count),
            partial(changes.more_samples, state, name, Bundle(shown), None),
        ),
        "remove": (partial(plain.remove, name), partial(changes.removal, state, name)),
        "rename": (partial(plain.rename, name, other), partial(changes.renaming, state, name, other)),
        "threshold": (
            partial(plain.set_threshold, name, value / 30),
            partial(changes.new_thresholds, state, {name: value / 30}),
        ),
        "background": (
            partial(plain.add_background, value),
            partial(changes.more_background, state, one),
        ),
        "roll-back": (
            partial(plain.roll_back, past, to),
            lambda: changes.roll_back(state, fold(log.events[:to])),
        ),
        "rebuild": (
            partial(plain.rebuild, model),
            partial(changes.rebuilding, state, "n", model, vectors, {}),
        ),
    }
    on_plain, draft = both[verb]
    try:
        on_plain()
    except StopIteration:
        with pytest.raises(UsageError):
            draft()
        raise
    return draft(), plain


def vectors_of(state: RegistryState) -> dict[int, Any]:
    """What a rebuild with a model of another sign and width gives."""
    found = {key.id: row for key, row in zip(state.background_keys, state.background, strict=True)}
    for each in state.classes.values():
        found.update(zip(each.shot_ids, each.shots, strict=True))
        found.update(zip(each.validation_ids, each.validation, strict=True))
    return {key: np.full(state.width + 1, -row[0]) for key, row in found.items()}


@given(commands)
def test_the_state_at_every_event_is_what_plain_lists_say(script: list[Command]) -> None:
    log, past = Log(), [Plain()]
    for command in script:
        before = log.state
        try:
            draft, plain = step(log, past[-1], past, command)
        except StopIteration:
            continue
        log.write(draft, before.model, before.fingerprint)
        past.append(plain)
        # One event more on what was known is the same as all from the first on.
        if draft.kind is not EventKind.ROLL_BACK:
            assert seen(apply(before, log.events[-1])) == plain
        assert seen(before) == past[-2]
    for number, plain in enumerate(past, start=1):
        state = fold(log.events[:number])
        assert seen(state) == plain
        assert state.event == number
        keys = [name_key(name) for name in state.classes]
        assert len(set(keys)) == len(keys)
        assert list(state.classes) == [each.name for each in state.classes.values()]


def test_a_rename_keeps_the_identity_and_a_second_class_of_a_name_has_another() -> None:
    log = Log()
    log.write(changes.addition(log.state, "bolt", Bundle(samples(1, 1, 2)), None), "m", "f0")
    log.write(changes.renaming(log.state, "bolt", "screw"), "m", "f0")
    assert log.state.classes["screw"].identity == 2
    log.write(changes.removal(log.state, "screw"), "m", "f0")
    log.write(changes.addition(log.state, "screw", Bundle(samples(2, 1, 2)), None), "m", "f0")
    assert log.state.classes["screw"].identity == 5
    assert log.state.classes["screw"].shots.tolist() == [[2, 2]]


def test_other_classes_are_shared_not_copied() -> None:
    log = Log()
    log.write(changes.addition(log.state, "bolt", Bundle(samples(1, 2, 2)), 0.3), "m", "f0")
    before = log.state
    log.write(changes.addition(before, "nut", Bundle(samples(5, 2, 2)), None), "m", "f0")
    after = apply(before, log.events[-1])
    assert after.classes["bolt"] is before.classes["bolt"]
    assert list(before.classes) == ["bolt"]
    with pytest.raises(ValueError, match="read-only"):
        after.classes["nut"].shots[0, 0] = 1


def test_events_that_contradict_one_another_are_refused() -> None:
    log = Log()
    log.write(changes.addition(log.state, "bolt", Bundle(samples(1, 1, 2)), None), "m", "f0")
    created, added = log.events
    wrong: list[list[Event]] = [
        [],
        [added],
        [created, created],
        [created, added, replace(added, id=3)],
        [created, replace(added, facts={})],
        [created, replace(added, embeddings=np.zeros((1, 3), np.float32))],
        [created, replace(added, kind=EventKind.REMOVE, facts={"class": 9})],
        [created, replace(added, kind=EventKind.THRESHOLD, facts={"thresholds": {"9": 1.0}})],
        [created, added, replace(added, id=3, kind=EventKind.ROLL_BACK, facts={"to": 3})],
        [created, added, replace(added, id=3, kind=EventKind.ROLL_BACK, facts={})],
        [replace(created, facts={"width": 0})],
    ]
    for events in wrong:
        with pytest.raises(InputError):
            fold(events)
