"""A registry for another model: all stored samples are embedded anew, and thresholds calibrated again."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import numpy as np

from kiridashi.classes.calibration import calibrate
from kiridashi.classes.embedding import Embedder
from kiridashi.classes.forgetting import Forgetting, compare
from kiridashi.classes.registry import Event, Registry, RegistryState, StoredSample
from kiridashi.classes.registry.events import Matrix

Step = Callable[[], None]


@dataclass(frozen=True, eq=False)
class Rebuilt:
    """The end of a rebuild.

    Attributes:
        event: that was committed; None: the change was refused.
        samples: embedded anew.
        state: after the change; where it was refused, as it would have been.
        forgetting: what the change does to the classes.
    """

    event: Event | None
    samples: int
    state: RegistryState = field(repr=False)
    forgetting: Forgetting


def rebuild(
    registry: Registry,
    embedder: Embedder,
    *,
    fail_on_drop: float | None = None,
    author: str | None = None,
    reason: str = "",
    step: Step = lambda: None,
) -> Rebuilt:
    """Embed all samples in use with another embedder and commit that as one event.

    The samples of a picture are embedded together, so that each picture is read and encoded once.

    Args:
        registry: open for writing, of any model.
        embedder: the new one.
        fail_on_drop: the most recall that a class may lose, 0..1; None: any loss is only told.
        author: None: the user of this machine.
        reason: for the history.
        step: called after each picture.

    Raises:
        InputError: a stored picture is damaged.
        UsageError: the registry was changed meanwhile, or cannot be written.
    """
    before = registry.state()
    vectors: dict[int, Matrix] = {}
    for digest, samples in by_picture(registry.samples()).items():
        found = embedder.embed(registry.picture(digest), [sample.mask for sample in samples])
        vectors |= {sample.id: row for sample, row in zip(samples, found.numpy(), strict=True)}
        step()
    after = _proposed(before, embedder, vectors)
    forgetting = compare(before, after)
    if fail_on_drop is not None and forgetting.drop > fail_on_drop:
        return Rebuilt(None, len(vectors), after, forgetting)
    event = registry.rebuild(
        embedder.model_name,
        embedder.fingerprint,
        vectors,
        thresholds={name: each.threshold for name, each in after.classes.items()},
        head=after.head,
        author=author,
        reason=reason,
    )
    return Rebuilt(event, len(vectors), after, forgetting)


def by_picture(samples: list[StoredSample]) -> dict[str, list[StoredSample]]:
    """Samples by the digest of their picture."""
    groups: dict[str, list[StoredSample]] = {}
    for sample in samples:
        groups.setdefault(sample.digest, []).append(sample)
    return groups


def _proposed(state: RegistryState, embedder: Embedder, vectors: dict[int, Matrix]) -> RegistryState:
    def rows(ids: tuple[int, ...]) -> Matrix:
        empty = np.zeros((0, embedder.width), np.float32)
        return np.stack([vectors[each] for each in ids]) if ids else empty

    classes = {}
    for name, each in state.classes.items():
        shots = rows(each.shot_ids)
        classes[name] = replace(
            each, shots=shots, validation=rows(each.validation_ids), threshold=calibrate(shots)
        )
    return replace(
        state,
        classes=MappingProxyType(classes),
        model=embedder.model_name,
        fingerprint=embedder.fingerprint,
        width=embedder.width,
        head=None if embedder.head_file is None else str(embedder.head_file),
        event=state.event + 1,
        background_chunks=tuple(
            (keys, rows(tuple(key.id for key in keys))) for keys, _ in state.background_chunks
        ),
    )
