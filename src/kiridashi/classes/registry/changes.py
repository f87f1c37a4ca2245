"""What a change would write, checked against the state it is made on. Nothing here touches the file.

Facts by kind (JSON): create: width, head; add: name, threshold; add-shots and remove: class, name; rename:
class, was, name; threshold: thresholds by identity; background: none; roll-back: to; rebuild: width, head,
thresholds.
Events that bring samples also count them by kind and list the digests of their pictures.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from kiridashi.classes.registry.events import EventKind, Matrix, SampleKind
from kiridashi.classes.registry.naming import clean_name, free_name, known_name, name_key
from kiridashi.classes.registry.samples import Sample, checked_rows
from kiridashi.classes.registry.state import RegistryState
from kiridashi.core.errors import UsageError


@dataclass(frozen=True, eq=False)
class Draft:
    """An event before it has an id.

    Attributes:
        kind: what it does.
        facts: JSON values.
        samples: that it brings, in the order of their rows.
        embeddings: (N, D) float32 of `samples`, or of `again`.
        identity: of the class that the samples belong to; None: of the event itself if it adds a class.
        again: ids of the stored samples that a rebuild embeds anew.
        model: name, where it changes.
        fingerprint: where it changes.
    """

    kind: EventKind
    facts: Mapping[str, Any]
    samples: tuple[tuple[SampleKind, Sample], ...] = ()
    embeddings: Matrix = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    identity: int | None = None
    again: tuple[int, ...] = ()
    model: str | None = None
    fingerprint: str | None = None


@dataclass(frozen=True)
class Bundle:
    """Samples by what they are for."""

    shots: Sequence[Sample] = ()
    validation: Sequence[Sample] = ()
    background: Sequence[Sample] = ()

    def rows(self) -> tuple[tuple[SampleKind, Sample], ...]:
        """One after another, those of a kind together."""
        return (
            *((SampleKind.SHOT, sample) for sample in self.shots),
            *((SampleKind.VALIDATION, sample) for sample in self.validation),
            *((SampleKind.BACKGROUND, sample) for sample in self.background),
        )


def creation(model: str, fingerprint: str, width: int, head: str | None = None) -> Draft:
    """The first event."""
    if width < 1:
        raise UsageError(f"embeddings have at least one value, got a width of {width}")
    facts = {"width": width, "head": head}
    return Draft(EventKind.CREATE, facts, model=model, fingerprint=fingerprint)


def addition(state: RegistryState, name: str, bundle: Bundle, threshold: float | None) -> Draft:
    """A new class.

    Raises:
        UsageError: the name is taken or not allowed, or there is no shot.
        InputError: an embedding is not finite.
    """
    free = free_name(name, state.classes)
    if not bundle.shots:
        raise UsageError(f"class {free!r} has no shot; give at least one picture with its mask")
    facts = {"name": free, "threshold": _checked_threshold(threshold)}
    return _bringing(state, EventKind.ADD, facts, bundle)


def more_samples(state: RegistryState, name: str, bundle: Bundle, threshold: float | None) -> Draft:
    """More samples of a class; its threshold stays where None is given.

    Raises:
        UsageError: no such class, or no sample.
        InputError: an embedding is not finite.
    """
    old = state.named(name)
    if not bundle.rows():
        raise UsageError(f"no sample to add to class {old.name!r}; give at least one")
    kept = old.threshold if threshold is None else _checked_threshold(threshold)
    facts = {"class": old.identity, "name": old.name, "threshold": kept}
    return _bringing(state, EventKind.ADD_SHOTS, facts, bundle, old.identity)


def more_background(state: RegistryState, samples: Sequence[Sample]) -> Draft:
    """Background that belongs to no class.

    Raises:
        UsageError: no sample.
        InputError: an embedding is not finite.
    """
    if not samples:
        raise UsageError("no background sample to add; give at least one")
    return _bringing(state, EventKind.BACKGROUND, {}, Bundle(background=samples))


def removal(state: RegistryState, name: str) -> Draft:
    """A class less, with its background."""
    gone = state.named(name)
    return Draft(EventKind.REMOVE, {"class": gone.identity, "name": gone.name})


def renaming(state: RegistryState, name: str, new: str) -> Draft:
    """Another name for the same class; a change of case alone is one too.

    Raises:
        UsageError: no such class, or the new name is taken, not allowed or the same.
    """
    old, cleaned = state.named(name), clean_name(new)
    if cleaned == old.name:
        raise UsageError(f"class {old.name!r} has this name already; nothing was changed")
    if name_key(cleaned) != name_key(old.name):
        cleaned = free_name(new, state.classes)
    return Draft(EventKind.RENAME, {"class": old.identity, "was": old.name, "name": cleaned})


def new_thresholds(state: RegistryState, thresholds: Mapping[str, float | None]) -> Draft:
    """Thresholds of some classes; None: the default.

    Raises:
        UsageError: no such class, none at all, or not a number.
    """
    if not thresholds:
        raise UsageError("no threshold to set; name at least one class")
    return Draft(EventKind.THRESHOLD, {"thresholds": _thresholds_by_identity(state, thresholds)})


def roll_back(state: RegistryState, target: RegistryState) -> Draft:
    """Back to an earlier state.

    Raises:
        UsageError: it is the present one.
    """
    if target.event >= state.event:
        raise UsageError(
            f"the registry is at event {state.event}; roll back to an earlier one; "
            "`kiridashi classes history` shows them"
        )
    return Draft(
        EventKind.ROLL_BACK, {"to": target.event}, model=target.model, fingerprint=target.fingerprint
    )


def rebuilding(
    state: RegistryState,
    model: str,
    fingerprint: str,
    embeddings: Mapping[int, ArrayLike],
    thresholds: Mapping[str, float | None],
    head: str | None = None,
) -> Draft:
    """Other embeddings for all samples in use.

    Raises:
        UsageError: not one embedding for each sample in use.
        InputError: an embedding is not finite.
    """
    ids = tuple(sorted(state.sample_ids()))
    if set(ids) != set(embeddings):
        raise UsageError(
            f"a rebuild needs one embedding for each of the {len(ids)} samples in use, got {len(embeddings)} "
            "that are not the same; was the registry changed meanwhile? Repeat the command"
        )
    width = int(np.size(embeddings[ids[0]])) if ids else state.width
    facts = {
        "width": width,
        "head": head,
        "thresholds": _thresholds_by_identity(state, thresholds),
        "samples": len(ids),
    }
    rows = checked_rows([embeddings[each] for each in ids], width)
    return Draft(EventKind.REBUILD, facts, (), rows, None, ids, model, fingerprint)


def _bringing(
    state: RegistryState,
    kind: EventKind,
    facts: Mapping[str, Any],
    bundle: Bundle,
    identity: int | None = None,
) -> Draft:
    samples = bundle.rows()
    counted = {
        "shots": len(bundle.shots),
        "validation": len(bundle.validation),
        "background": len(bundle.background),
        "sources": sorted({sample.picture.digest for _, sample in samples}),
    }
    rows = checked_rows([sample.embedding for _, sample in samples], state.width)
    return Draft(kind, {**facts, **counted}, samples, rows, identity)


def _thresholds_by_identity(
    state: RegistryState, thresholds: Mapping[str, float | None]
) -> dict[str, float | None]:
    return {
        str(state.classes[known_name(name, state.classes)].identity): _checked_threshold(value)
        for name, value in thresholds.items()
    }


def _checked_threshold(value: float | None) -> float | None:
    if value is None:
        return None
    if not math.isfinite(value):
        raise UsageError(f"a threshold is a finite number, got {value}")
    return float(value)
