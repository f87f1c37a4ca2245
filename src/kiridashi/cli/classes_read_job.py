"""The work of `kiridashi classes list`, `show` and `history`: reading, without a model."""

import shlex
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kiridashi.cli.classes_told import Told, count, made_with
from kiridashi.cli.columns import columns

if TYPE_CHECKING:
    from kiridashi.classes.registry import ClassState, Event, StoredSample

DEFAULT = "default"


def list_classes(store: Path) -> Told:
    """The classes of a registry.

    Raises:
        InputError: no registry, or a damaged one.
    """
    from kiridashi.classes.registry_file import open_registry

    with open_registry(store) as registry:
        state = registry.state()
        background = len(state.background)
    classes = list(state.classes.values())
    document: dict[str, Any] = {
        "command": "classes list",
        "store": str(store),
        "model": state.model,
        "head": state.head,
        "fingerprint": state.fingerprint,
        "event": state.event,
        "background": background,
        "classes": [_facts(one) for one in classes],
    }
    if not classes:
        return Told(
            [f"no class yet; kiridashi classes add NAME --samples DIR --store {shlex.quote(str(store))}"],
            document,
        )
    rows = [("class", "shots", "held aside", "threshold", "added")]
    rows += [
        (one.name, str(len(one.shots)), str(len(one.validation)), _threshold(one.threshold), _day(one.added))
        for one in classes
    ]
    last = (
        f"{count(len(classes), 'class')}, {count(background, 'background sample')}, "
        f"{made_with(state.model, state.head)}, event {state.event}"
    )
    return Told([*columns(rows, right=(1, 2, 3)), last], document)


def show_class(store: Path, name: str) -> Told:
    """One class and its samples.

    Raises:
        InputError: no registry, or a damaged one.
        UsageError: no such class.
    """
    from kiridashi.classes.registry_file import open_registry

    with open_registry(store) as registry:
        state = registry.state()
        one = state.named(name)
        samples = registry.samples(one.name)
        events = [event for event in registry.history() if _is_of(event, one.identity)]
    first = next(event for event in events if event.id == one.identity)
    document = {
        "command": "classes show",
        "store": str(store),
        **_facts(one),
        "author": first.author,
        "reason": first.reason,
        "samples": [_sample_facts(each) for each in samples],
    }
    background = sum(each.kind.value == "background" for each in samples)
    numbers = f"{count(len(one.shots), 'shot')}, {len(one.validation)} held aside, {background} background"
    lines = columns(
        [
            ("class", one.name),
            (
                "added",
                f"{_minute(one.added)} by {first.author}" + (f": {first.reason}" if first.reason else ""),
            ),
            ("threshold", _threshold(one.threshold)),
            ("samples", numbers),
        ]
    )
    rows = [("kind", "picture", "size", "object", "event")]
    rows += [
        (
            "held aside" if each.kind.value == "validation" else each.kind.value,
            each.name,
            f"{each.mask.size[1]} x {each.mask.size[0]}",
            f"{each.mask.coverage:.1%}",
            str(each.event),
        )
        for each in samples
    ]
    return Told([*lines, "", *columns(rows, right=(2, 3, 4))], document)


def show_history(store: Path) -> Told:
    """All events.

    Raises:
        InputError: no registry, or a damaged one.
    """
    from kiridashi.classes.registry.fold import lineage
    from kiridashi.classes.registry_file import open_registry

    with open_registry(store) as registry:
        events = registry.history()
    # The path from the first event to the newest leaves out what was rolled back.
    kept = {event.id for event in lineage(events)}
    undone = {event.id for event in events if event.id not in kept and event.kind.value != "roll-back"}
    document = {
        "command": "classes history",
        "store": str(store),
        "events": [
            {
                "id": event.id,
                "kind": event.kind.value,
                "time": event.time.isoformat(),
                "author": event.author,
                "reason": event.reason,
                "model": event.model,
                "fingerprint": event.fingerprint,
                "facts": dict(event.facts),
                "taken_back": event.id in undone,
            }
            for event in events
        ],
    }
    rows = [("event", "when (UTC)", "who", "what", "why")]
    rows += [
        (
            str(event.id),
            _minute(event.time),
            event.author,
            describe(event) + (" - taken back" if event.id in undone else ""),
            event.reason,
        )
        for event in events
    ]
    return Told(columns(rows, right=(0,)), document)


def describe(event: "Event") -> str:
    """What an event did, in a few words."""
    facts = event.facts
    name = repr(facts.get("name"))
    match event.kind.value:
        case "create":
            return f"made for {made_with(event.model, facts.get('head'))}"
        case "add":
            return f"added {name} ({_samples(facts)})"
        case "add-shots":
            return f"more samples of {name} ({_samples(facts)})"
        case "remove":
            return f"removed {name}"
        case "rename":
            return f"renamed {facts.get('was')!r} to {name}"
        case "threshold":
            return f"set {count(len(facts.get('thresholds', {})), 'threshold')}"
        case "background":
            return f"added {count(facts.get('background', 0), 'background sample')}"
        case "roll-back":
            return f"went back to event {facts.get('to')}"
        case _:
            how = made_with(event.model, facts.get("head"))
            return f"embedded {count(facts.get('samples', 0), 'sample')} anew with {how}"


def _samples(facts: Any) -> str:
    parts = [count(facts["shots"], "shot")] if facts.get("shots") else []
    if facts.get("validation"):
        parts.append(f"{facts['validation']} held aside")
    if facts.get("background"):
        parts.append(f"{facts['background']} background")
    return ", ".join(parts)


def _is_of(event: "Event", identity: int) -> bool:
    return event.id == identity or event.facts.get("class") == identity


def _facts(one: "ClassState") -> dict[str, Any]:
    return {
        "name": one.name,
        "identity": one.identity,
        "shots": len(one.shots),
        "held_aside": len(one.validation),
        "threshold": one.threshold,
        "added": one.added.isoformat(),
    }


def _sample_facts(one: "StoredSample") -> dict[str, Any]:
    return {
        "id": one.id,
        "kind": one.kind.value,
        "picture": one.name,
        "digest": one.digest,
        "size": list(one.mask.size),
        "area": one.mask.area,
        "event": one.event,
    }


def _threshold(value: float | None) -> str:
    return DEFAULT if value is None else f"{value:.2f}"


def _day(time: datetime) -> str:
    return f"{time:%Y-%m-%d}"


def _minute(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M}"
