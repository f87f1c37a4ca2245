"""The events of a registry: what happened, when, by whom and why."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float32]


class EventKind(StrEnum):
    """What an event does."""

    CREATE = "create"
    ADD = "add"
    ADD_SHOTS = "add-shots"
    REMOVE = "remove"
    RENAME = "rename"
    THRESHOLD = "threshold"
    BACKGROUND = "background"
    ROLL_BACK = "roll-back"
    REBUILD = "rebuild"


class SampleKind(StrEnum):
    """What a sample is for: a class is made of shots, judged on validation, told apart from background."""

    SHOT = "shot"
    VALIDATION = "validation"
    BACKGROUND = "background"


@dataclass(frozen=True, slots=True)
class SampleKey:
    """Which sample a row of embeddings is of.

    Attributes:
        id: of the sample in the registry.
        kind: what it is for.
        identity: of the class that it belongs to; None for background of no class.
    """

    id: int
    kind: SampleKind
    identity: int | None


@dataclass(frozen=True, eq=False)
class Event:
    """One change, never altered afterwards.

    Attributes:
        id: from 1, growing; events are ordered by it.
        kind: what it does.
        time: with UTC as its zone.
        author: who.
        reason: why; may be empty.
        facts: JSON values; which ones depends on the kind (see `changes`).
        model: name of the model that the registry's embeddings are of after this event.
        fingerprint: of that model's embeddings.
        samples: whose embeddings the event brings: its new ones, or for a rebuild all that are in use.
        embeddings: (N, D) float32, one row a sample, read-only.
    """

    id: int
    kind: EventKind
    time: datetime
    author: str
    reason: str
    facts: Mapping[str, Any]
    model: str
    fingerprint: str
    samples: tuple[SampleKey, ...] = ()
    embeddings: Matrix = field(default_factory=lambda: np.zeros((0, 0), np.float32), repr=False)
