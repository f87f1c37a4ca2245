"""The registry of classes: one SQLite file of append-only events; the state is their fold."""

from kiridashi.classes.registry.events import Event, EventKind, SampleKind
from kiridashi.classes.registry.registry import Registry
from kiridashi.classes.registry.samples import Sample, StoredSample
from kiridashi.classes.registry.state import ClassState, RegistryState
from kiridashi.classes.registry.statistics import Statistic

__all__ = [
    "ClassState",
    "Event",
    "EventKind",
    "Registry",
    "RegistryState",
    "Sample",
    "SampleKind",
    "Statistic",
    "StoredSample",
]
