"""What a registry holds at one event: the classes and the background, as embeddings."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

import numpy as np

from kiridashi.classes.registry.events import Matrix, SampleKey
from kiridashi.classes.registry.naming import known_name


@dataclass(frozen=True, eq=False)
class ClassState:
    """One class.

    Attributes:
        name: as the user calls it now.
        identity: id of the event that added it; stays when the name changes, and never comes again.
        shots: (K, D) float32 embeddings of what it was made from, read-only.
        threshold: least score of an instance; None: not set, the default counts.
        added: when, in UTC.
        shot_ids: of the samples, in the order of `shots`.
        validation: (V, D) float32 embeddings of the samples held aside, read-only.
        validation_ids: of the samples, in the order of `validation`.
    """

    name: str
    identity: int
    shots: Matrix = field(repr=False)
    threshold: float | None
    added: datetime
    shot_ids: tuple[int, ...] = field(repr=False)
    validation: Matrix = field(repr=False)
    validation_ids: tuple[int, ...] = field(repr=False)


@dataclass(frozen=True, eq=False)
class RegistryState:
    """All classes at one event. Never altered: an event makes a new one that shares what stayed.

    Attributes:
        classes: by name, in the order in which they were added; read-only.
        model: name of the model that the embeddings are of.
        fingerprint: of that model's embeddings.
        width: D of the embeddings.
        event: id of the event after which this was the state.
        background_chunks: the background event by event, as (keys, (M, D) embeddings).
        head: file of the embedding head that the embeddings were made with, as it was called then; None:
            without one, or with the package's own.
    """

    classes: Mapping[str, ClassState]
    model: str
    fingerprint: str
    width: int
    event: int
    background_chunks: tuple[tuple[tuple[SampleKey, ...], Matrix], ...] = field(default=(), repr=False)
    head: str | None = None

    @cached_property
    def background(self) -> Matrix:
        """(M, D) float32 embeddings of what is no class: look-alikes and other things, read-only."""
        # Joined only when asked for: an addition must not copy what hundreds before it brought.
        chunks = [chunk for _, chunk in self.background_chunks]
        joined = np.concatenate(chunks) if chunks else np.zeros((0, self.width), np.float32)
        joined.flags.writeable = False
        return joined

    @property
    def background_keys(self) -> tuple[SampleKey, ...]:
        """Of the samples, in the order of `background`."""
        return tuple(key for keys, _ in self.background_chunks for key in keys)

    def named(self, name: str) -> ClassState:
        """A class by its name; case does not count where no name is exactly so.

        Raises:
            UsageError: no such class; suggests the nearest.
        """
        return self.classes[known_name(name, self.classes)]

    def sample_ids(self) -> frozenset[int]:
        """Of all samples that are in use."""
        ids = {key.id for key in self.background_keys}
        for each in self.classes.values():
            ids.update(each.shot_ids, each.validation_ids)
        return frozenset(ids)
