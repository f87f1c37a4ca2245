"""From events to the state: a pure fold, with roll-backs as jumps to an earlier branch."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import reduce
from types import MappingProxyType

import numpy as np

from kiridashi.classes.registry.events import Event, EventKind, Matrix, SampleKind
from kiridashi.classes.registry.state import ClassState, RegistryState
from kiridashi.core.errors import InputError


def fold(events: Iterable[Event]) -> RegistryState:
    """The state after a registry's events.

    Args:
        events: all of them from the first on, or from the first to the one whose state is asked for.

    Raises:
        InputError: they contradict one another, or do not begin with the registry's creation.
    """
    known = list(events)
    steps = lineage(known)
    if not steps or steps[0].kind is not EventKind.CREATE:
        raise InputError("the events of a registry begin with its creation")
    first, *others = steps
    with_classes = reduce(apply, others, _created(first))
    return replace(with_classes, event=known[-1].id)


def lineage(events: Sequence[Event]) -> list[Event]:
    """The events that made the last state, first one first; what was rolled back and roll-backs left out.

    A roll-back continues from the event that it names, so the history is a tree and this is the path
    from its root to the newest event.
    """
    places = {event.id: place for place, event in enumerate(events)}
    steps: list[Event] = []
    place = len(events) - 1
    while place >= 0:
        event = events[place]
        if event.kind is EventKind.ROLL_BACK:
            target = places.get(event.facts.get("to", -1), place)
            if target >= place:
                raise _contradiction(event, "it rolls back to no earlier event")
            place = target
        else:
            steps.append(event)
            place -= 1
    return steps[::-1]


def apply(state: RegistryState, event: Event) -> RegistryState:
    """The state after one more event. The list of classes is copied, what was known of them is shared.

    Args:
        state: before.
        event: any but a creation or a roll-back, which need the history: use `fold`.

    Raises:
        InputError: the event does not fit the state.
    """
    change = _CHANGES.get(event.kind)
    if change is None:
        raise _contradiction(event, f"{event.kind.value} does not follow from the state alone")
    if event.kind is not EventKind.REBUILD and event.samples and event.embeddings.shape[1] != state.width:
        raise _contradiction(event, f"embeddings of {event.embeddings.shape[1]} values, not {state.width}")
    try:
        return replace(change(state, event), event=event.id)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise _contradiction(event, f"{type(error).__name__} at {error}") from error


def _created(event: Event) -> RegistryState:
    width = event.facts.get("width")
    if type(width) is not int or width < 1:
        raise _contradiction(event, "it names no width of embeddings")
    return RegistryState(
        MappingProxyType({}), event.model, event.fingerprint, width, event.id, head=_head(event)
    )


def _add(state: RegistryState, event: Event) -> RegistryState:
    name = event.facts["name"]
    _check_free(state, event, name)
    added = ClassState(
        name,
        event.id,
        _rows(event, SampleKind.SHOT),
        event.facts["threshold"],
        event.time,
        _ids(event, SampleKind.SHOT),
        _rows(event, SampleKind.VALIDATION),
        _ids(event, SampleKind.VALIDATION),
    )
    return _with_background(_with_classes(state, {**state.classes, name: added}), event)


def _add_shots(state: RegistryState, event: Event) -> RegistryState:
    old = _by_identity(state, event)
    new = replace(
        old,
        shots=_joined(old.shots, _rows(event, SampleKind.SHOT)),
        shot_ids=old.shot_ids + _ids(event, SampleKind.SHOT),
        validation=_joined(old.validation, _rows(event, SampleKind.VALIDATION)),
        validation_ids=old.validation_ids + _ids(event, SampleKind.VALIDATION),
        threshold=event.facts["threshold"],
    )
    return _with_background(_with_classes(state, {**state.classes, old.name: new}), event)


def _remove(state: RegistryState, event: Event) -> RegistryState:
    gone = _by_identity(state, event)
    classes = {name: each for name, each in state.classes.items() if each is not gone}
    # What a class was told apart from goes with it: it may become a class of its own.
    kept = tuple(
        (keys, chunk) for keys, chunk in state.background_chunks if keys[0].identity != gone.identity
    )
    return replace(_with_classes(state, classes), background_chunks=kept)


def _rename(state: RegistryState, event: Event) -> RegistryState:
    old, name = _by_identity(state, event), event.facts["name"]
    if name != old.name:
        _check_free(state, event, name)
    new = replace(old, name=name)
    return _with_classes(
        state, dict((name, new) if each is old else (key, each) for key, each in state.classes.items())
    )


def _threshold(state: RegistryState, event: Event) -> RegistryState:
    return _with_thresholds(state, event.facts["thresholds"])


def _background(state: RegistryState, event: Event) -> RegistryState:
    return _with_background(state, event)


def _rebuild(state: RegistryState, event: Event) -> RegistryState:
    places = {key.id: place for place, key in enumerate(event.samples)}

    def again(ids: Iterable[int]) -> Matrix:
        return _frozen(event.embeddings[[places[each] for each in ids]])

    width = int(event.facts["width"])
    empty = np.zeros((0, width), np.float32)
    classes = {
        name: replace(
            each,
            shots=again(each.shot_ids),
            validation=again(each.validation_ids) if each.validation_ids else empty,
            threshold=None,
        )
        for name, each in state.classes.items()
    }
    background = tuple((keys, again(key.id for key in keys)) for keys, _ in state.background_chunks)
    rebuilt = RegistryState(
        MappingProxyType(classes), event.model, event.fingerprint, width, event.id, background, _head(event)
    )
    return _with_thresholds(rebuilt, event.facts["thresholds"])


_CHANGES: Mapping[EventKind, Callable[[RegistryState, Event], RegistryState]] = {
    EventKind.ADD: _add,
    EventKind.ADD_SHOTS: _add_shots,
    EventKind.REMOVE: _remove,
    EventKind.RENAME: _rename,
    EventKind.THRESHOLD: _threshold,
    EventKind.BACKGROUND: _background,
    EventKind.REBUILD: _rebuild,
}


def _with_classes(state: RegistryState, classes: dict[str, ClassState]) -> RegistryState:
    return replace(state, classes=MappingProxyType(classes))


def _with_background(state: RegistryState, event: Event) -> RegistryState:
    keys = tuple(key for key in event.samples if key.kind is SampleKind.BACKGROUND)
    if not keys:
        return state
    chunk = (keys, _rows(event, SampleKind.BACKGROUND))
    return replace(state, background_chunks=(*state.background_chunks, chunk))


def _with_thresholds(state: RegistryState, thresholds: Mapping[str, float | None]) -> RegistryState:
    # JSON has texts as keys.
    names = {str(each.identity): name for name, each in state.classes.items()}
    changed = {
        names[identity]: replace(state.classes[names[identity]], threshold=threshold)
        for identity, threshold in thresholds.items()
    }
    return _with_classes(state, {**state.classes, **changed})


def _by_identity(state: RegistryState, event: Event) -> ClassState:
    identity = event.facts["class"]
    for each in state.classes.values():
        if each.identity == identity:
            return each
    raise _contradiction(event, f"there is no class of event {identity}")


def _check_free(state: RegistryState, event: Event, name: str) -> None:
    # Names that differ only in case are refused where events are made; here it would cost a look at all.
    if name in state.classes:
        raise _contradiction(event, f"there is a class named {name!r} already")


def _head(event: Event) -> str | None:
    # Registries of earlier versions do not say.
    head = event.facts.get("head")
    if head is not None and not isinstance(head, str):
        raise _contradiction(event, "its head is no text")
    return head


def _rows(event: Event, kind: SampleKind) -> Matrix:
    places = [place for place, key in enumerate(event.samples) if key.kind is kind]
    if not places:
        return np.zeros((0, event.embeddings.shape[1]), np.float32)
    # A kind's samples lie together, so this is a view of what was read at once.
    if places[-1] - places[0] + 1 == len(places):
        return event.embeddings[places[0] : places[-1] + 1]
    return _frozen(event.embeddings[places])


def _ids(event: Event, kind: SampleKind) -> tuple[int, ...]:
    return tuple(key.id for key in event.samples if key.kind is kind)


def _joined(old: Matrix, new: Matrix) -> Matrix:
    return _frozen(np.concatenate([old, new])) if len(new) else old


def _frozen(matrix: Matrix) -> Matrix:
    matrix.flags.writeable = False
    return matrix


def _contradiction(event: Event, what: str) -> InputError:
    return InputError(
        f"event {event.id} ({event.kind.value}) of the registry does not fit what was before it: {what}; "
        "the file was changed by something else than kiridashi: restore a copy"
    )
