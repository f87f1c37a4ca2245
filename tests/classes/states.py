"""Registry states of embeddings that are written down by hand."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType

import numpy as np

from kiridashi.classes.registry import ClassState, RegistryState, SampleKind
from kiridashi.classes.registry.events import Matrix, SampleKey

Vectors = Sequence[Sequence[float]]
WIDTH = 3


def matrix(vectors: Vectors) -> Matrix:
    """(N, 3) float32 of unit length."""
    rows = np.array(vectors, np.float32).reshape(-1, WIDTH)
    unit: Matrix = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit


def state_of(
    classes: Mapping[str, tuple[Vectors, Vectors]], background: Vectors = (), threshold: float | None = 0.5
) -> RegistryState:
    """A state of classes by name, each with shots and held-aside samples."""
    made = {}
    first = 1
    for identity, (name, (shots, validation)) in enumerate(classes.items(), start=2):
        ids = tuple(range(first, first + len(validation)))
        first += len(validation)
        made[name] = ClassState(
            name, identity, matrix(shots), threshold, datetime.now(UTC), (), matrix(validation), ids
        )
    key = SampleKey(0, SampleKind.BACKGROUND, None)
    chunks = (((key,) * len(background), matrix(background)),) if background else ()
    return RegistryState(MappingProxyType(made), "compact", "f1", WIDTH, 1 + len(made), chunks)
